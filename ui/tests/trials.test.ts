import { describe, expect, it } from 'vitest';
import { decimalsBeside, figureText, reach, ticks, toneOf, withDefaults, type Figure, type PlanDocument } from '../src/lib/trials';

const figure = (value: number | null, low: number | null, high: number | null): Figure => ({
  name: 'bias', value, unit: 'mg L-1', interval: [low, high], probability: 0.95, n: 9, n_effective: null, method: '', note: '',
});

describe('a figure of a trial', () => {
  it('is told to the digits its interval allows', () => {
    expect(figureText(figure(0.04967, 0.02399, 0.07535), 'en')).toBe('0.050 [0.024, 0.075]');
    expect(figureText(figure(1234.5, 1100, 1400), 'en')).toBe('1,235 [1,100, 1,400]');
    expect(decimalsBeside(null, null, null)).toBe(1);
  });
  it('is told without an interval where there is none', () => {
    expect(figureText(figure(0.017214, null, null), 'en')).toBe('0.01721');
    expect(figureText(figure(null, null, null), 'en')).toBe('–');
  });
});

describe('an answer', () => {
  it('never takes an inconclusive trial for a pass', () => {
    expect(['non_inferior', 'equivalent', 'inferior', 'inconclusive', 'not_tested'].map(toneOf)).toEqual(['good', 'good', 'bad', 'warn', 'idle']);
  });
});

describe('a plan in the form', () => {
  it('shows what the plan means where it says nothing', () => {
    const plan = { trial: { title: 't', property: 'ph', unit: '1' }, candidate: [], reference: [], endpoint: [{ name: 'e', statistic: 'rmse', margin: 1 }], sample: [1] };
    const shown = withDefaults(plan as PlanDocument);
    expect(shown.endpoint[0]).toEqual({ name: 'e', statistic: 'rmse', margin: 1, kind: 'non_inferiority', alpha: 0.025, origin: 'user' });
    expect(shown['sample']).toEqual([1]);
  });
});

describe('an axis', () => {
  it('has round values within its reach', () => {
    expect(ticks(-0.31, 0.62, 5)).toEqual([-0.2, 0, 0.2, 0.4, 0.6000000000000001]);
    expect(reach([1, null, 3], 0)).toEqual([1, 3]);
    expect(reach([], 0)).toEqual([0, 1]);
  });
});
