import { describe, expect, it } from 'vitest';
import type { DatastreamShort, ThingShort } from '../src/lib/api';
import { chosenPanels, panelsOf } from '../src/lib/panels';
import { outcome } from '../src/lib/flags';
import { functionText, thresholdsOf } from '../src/lib/profile';
import { bounds, lengthText, parseLength, readSpan, writeSpan } from '../src/lib/span';
import { byAlarm, telling } from '../src/lib/telling';
import { classLetters, className, waterClass } from '../src/lib/water';

const query = (text: string): URLSearchParams => new URLSearchParams(text);

describe('the span in the address', () => {
  it('follows now over a day when nothing is said', () => {
    expect(readSpan(query(''))).toEqual({ follow: true, length: 86_400_000 });
  });
  it('survives being written and read', () => {
    for (const span of [readSpan(query('range=6h')), readSpan(query('start=2025-06-01T00:00:00Z&end=2025-06-02T00:00:00Z'))]) {
      const written = Object.entries(writeSpan(span)).filter((entry): entry is [string, string] => entry[1] !== null);
      expect(readSpan(new URLSearchParams(written))).toEqual(span);
    }
  });
  it('is the default when the address makes no sense', () => {
    for (const text of ['range=soon', 'start=x&end=y', 'start=2000&end=1000', 'range=-3h']) {
      expect(readSpan(query(text))).toEqual({ follow: true, length: 86_400_000 });
    }
  });
  it('covers the time before now while following', () => {
    const [start, end] = bounds({ follow: true, length: 1000 }, 5000);
    expect(start).toBe(4000);
    expect(end).toBeGreaterThanOrEqual(5000);
  });
  it('names lengths shortly', () => {
    expect(lengthText(86_400_000)).toBe('24h');
    expect(lengthText(7 * 86_400_000)).toBe('7d');
    expect(parseLength('90m')).toBe(5_400_000);
  });
});

describe('water classes', () => {
  it('always have letters, in either language', () => {
    expect(className('III', 'en')).toBe('Class III');
    expect(className('III', 'zh')).toBe('Ⅲ类');
    expect(className('inferior V', 'zh')).toBe('劣Ⅴ类');
    expect(classLetters('inferior V', 'en')).toBe('>V');
  });
  it('are ordered', () => {
    expect(['inferior V', 'I', 'V'].map((name) => waterClass(name)?.rank)).toEqual([6, 1, 5]);
  });
  it('are nothing for another standard’s words', () => {
    expect(waterClass('good')).toBeUndefined();
    expect(waterClass(null)).toBeUndefined();
  });
});

function datastream(property: string, quality = 1): DatastreamShort {
  return {
    id: property.length, key: `t/${property}`, name: property, names: { en: property, zh: property }, property, unit: '1', symbol: '', decimals: 2,
    origin: 'simulated', profile: null,
    latest: { id: 1, time: 0, result: 1, uncertainty: null, quality, censored: 0, mark: null, tests: null },
  };
}
function thing(key: string, more: Partial<ThingShort>): ThingShort {
  return {
    id: 1, key, name: key, names: { en: key, zh: key }, description: '', water_body: 'river', target_class: null, time_zone: 'UTC', location: null,
    state: 'live', sources: [], verdict: null, datastreams: [], ...more,
  };
}

describe('what is seen first', () => {
  it('is the silent Thing, then the one that misses its target', () => {
    const missed = { standard: 's', applicable: true, class: 'IV', met: false };
    const list = [thing('b', {}), thing('a', { verdict: missed }), thing('c', { state: 'silent' }), thing('d', { state: 'broken' })];
    expect(list.sort(byAlarm).map((one) => one.key)).toEqual(['d', 'c', 'a', 'b']);
  });
  it('is the failed value, then the limiting item, then the core properties', () => {
    const verdict = { standard: 's', applicable: true, class: 'IV', limiting: [{ property: 'total_phosphorus', names: { en: '', zh: '' }, value: 1, unit: '', class: 'IV', multiple: 1 }] };
    const one = thing('a', { verdict, datastreams: [datastream('ph'), datastream('total_phosphorus'), datastream('salinity', 4)] });
    expect(telling(one).map((item) => item.property)).toEqual(['salinity', 'total_phosphorus', 'ph']);
  });
});

describe('panels', () => {
  const groups = panelsOf([datastream('salinity'), datastream('ph'), { ...datastream('ph'), key: 't/ph-2', id: 9 }]);
  it('hold the Datastreams of one property together', () => {
    expect(groups.map((group) => [group.property, group.datastreams.length])).toEqual([['ph', 2], ['salinity', 1]]);
  });
  it('are those of the address', () => {
    expect(chosenPanels(groups, 'salinity').map((group) => group.property)).toEqual(['salinity']);
    expect(chosenPanels(groups, null)).toHaveLength(2);
  });
});

describe('tests and profiles', () => {
  it('passed all when there are no digits', () => {
    expect(outcome(null, 3)).toBe(1);
    expect(outcome('1319', 1)).toBe(3);
    expect(outcome('13', 5)).toBe(2);
  });
  it('have the spans of the gross range as lines', () => {
    const test = { name: 'gross_range', slot: 0, required: true, title: { en: '', zh: '' }, clause: '', parameters: { suspect_span: [6, 9], fail_span: [0, 14] } };
    expect(thresholdsOf([test, { ...test, name: 'spike', parameters: { suspect_threshold: 3 } }])).toEqual([
      { value: 6, kind: 'suspect' }, { value: 9, kind: 'suspect' }, { value: 0, kind: 'fail' }, { value: 14, kind: 'fail' },
    ]);
  });
  it('show a polynomial with the uncertainty of its coefficients', () => {
    const calibration = { id: 1, valid_from: 0, kind: 'polynomial', document: { coefficients: [-0.1, 0.98], covariance: [[0.0004, 0], [0, 0.000016]] } };
    expect(functionText(calibration, 'en')).toBe('y = − (0.1 ± 0.04) + (0.98 ± 0.008) x');
  });
});
