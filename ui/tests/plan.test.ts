import { describe, expect, it } from 'vitest';
import { ApiError } from '../src/lib/api';
import { bare, edgesOf, FIELDS, isAbout, keyOf, localTime, moved, saidOf } from '../src/lib/plan';
import type { PlanDocument } from '../src/lib/trials';

const plan: PlanDocument = {
  trial: { title: 't', property: 'ph', unit: '1' },
  candidate: [],
  reference: [],
  endpoint: [{ name: 'scatter', statistic: 'rmse', margin: 1 }, { name: 'mean', statistic: 'bias', margin: 1 }],
};
const refusal = (message: string, place = ''): ApiError => new ApiError(400, 'config_error', message, place);

describe('a refusal of a plan', () => {
  it('is told at the field it is about', () => {
    expect(keyOf(refusal('endpoint[1].margin = -1: input should be greater than 0', 'endpoint[1].margin'), plan)).toBe('endpoint[1].margin');
    expect(keyOf(refusal("candidate[0].datastream = 'a/b': m is no mg L-1"), plan)).toBe('candidate[0].datastream');
    expect(keyOf(refusal("endpoint 'mean': a margin in K for bias, which is in 1"), plan)).toBe('endpoint[1].margin');
    expect(keyOf(refusal('say who does it', 'by'), plan)).toBe('by');
    expect(keyOf(null, plan)).toBe('');
  });
  it('that is of a whole part is told at the field where it is mended', () => {
    expect(keyOf(refusal('a window has no length', 'maintenance[2]'), plan)).toBe('maintenance[2].end');
    expect(keyOf(refusal('a trial has no length', 'trial'), plan)).toBe('trial.end');
    expect(keyOf(refusal("two endpoints are called 'mean': give each a name of its own"), plan)).toBe('endpoint[1].name');
  });
  it('says what is wrong without what the field shows', () => {
    expect(saidOf(refusal("endpoint[1].margin = -1: input should be greater than 0 · endpoint[1].margin", 'endpoint[1].margin'))).toBe('input should be greater than 0');
    expect(saidOf(refusal("maintenance[0] = {'start': 'a: b', 'end': 'c'}: a window has no length", 'maintenance[0]'))).toBe('a window has no length');
    expect(saidOf(refusal('say who does it', 'by'))).toBe('say who does it');
  });
  it('finds the field by the key of a part of it, and no other', () => {
    expect(isAbout('condition.temperature.edges[1]', 'condition.temperature.edges')).toBe(true);
    expect(isAbout('endpoint[10].margin', 'endpoint[1]')).toBe(false);
    expect(['trial.unit', 'reference[2].every', 'endpoint[0].alpha', 'maintenance[3].start'].every((key) => FIELDS.test(key))).toBe(true);
    expect(['by', 'trial', 'alignment.clock', 'candidate[0].calibration'].some((key) => FIELDS.test(key))).toBe(false);
  });
});

describe('a plan that is filled in', () => {
  it('has its endpoints put in order', () => {
    expect(moved([1, 2, 3], 2, -1)).toEqual([1, 3, 2]);
    expect(moved([1, 2, 3], 0, -1)).toEqual([1, 2, 3]);
    expect(moved([1, 2, 3], 2, 1)).toEqual([1, 2, 3]);
  });
  it('reads limits as they are written', () => {
    expect(edgesOf('5, 10；15 20')).toEqual([5, 10, 15, 20]);
    expect(edgesOf('5, x')).toBeNull();
    expect(edgesOf('')).toEqual([]);
  });
  it('shows a time by the clocks of its zone', () => {
    expect(localTime('2026-06-01T00:00:00Z', 'Asia/Shanghai')).toBe('2026-06-01T08:00');
    expect(localTime('2026-06-01T00:00:00', 'Asia/Shanghai')).toBe('2026-06-01T00:00');
  });
  it('says what was said and no more', () => {
    expect(bare({ a: '', b: null, c: [], d: [{ e: '', f: 0 }], g: false })).toEqual({ d: [{ f: 0 }], g: false });
  });
});
