import { describe, expect, it } from 'vitest';
import { decimalsOf, formatAge, formatNumber, formatQuantity, formatSpan, formatTime, zoneOffset } from '../src/lib/format';

describe('a result with its uncertainty', () => {
  it('is written to the digits that U = 2u allows', () => {
    expect(formatQuantity(8.4217, 0.03, 2, 'en')).toEqual({ value: '8.42', expanded: '0.06' });
  });
  it('keeps two digits of a U that begins with 1 or 2', () => {
    expect(formatQuantity(8.4217, 0.006, 2, 'en')).toEqual({ value: '8.422', expanded: '0.012' });
  });
  it('keeps the decimals when U is rounded up to the next power of ten', () => {
    expect(decimalsOf(0.0996)).toBe(2);
    expect(formatQuantity(1.23456, 0.0498, 2, 'en')).toEqual({ value: '1.23', expanded: '0.10' });
  });
  it('rounds to tens when U is hundreds', () => {
    expect(formatQuantity(12345, 115, 0, 'en')).toEqual({ value: '12,350', expanded: '230' });
  });
  it('has the reporting decimals of its property without an uncertainty', () => {
    expect(formatQuantity(7.5, null, 2, 'en')).toEqual({ value: '7.50', expanded: '' });
    expect(formatQuantity(7.5, 0, 2, 'en')).toEqual({ value: '7.50', expanded: '' });
  });
  it('has at most five digits when the property is not in the vocabulary', () => {
    expect(formatQuantity(1.23456789, null, null, 'en').value).toBe('1.2346');
  });
  it('is a dash when missing', () => {
    expect(formatQuantity(null, 0.1, 2, 'en')).toEqual({ value: '–', expanded: '' });
    expect(formatQuantity(Number.NaN, 0.1, 2, 'en').value).toBe('–');
  });
});

describe('numbers', () => {
  it('carry a true minus sign, and none before zero', () => {
    expect(formatNumber(-1.5, 1, 'en')).toBe('\u22121.5');
    expect(formatNumber(-0.001, 2, 'en')).toBe('0.00');
  });
  it('follow the language', () => {
    expect(formatNumber(1234567, 0, 'zh')).toBe('1,234,567');
  });
});

describe('times', () => {
  const moment = Date.UTC(2025, 5, 1, 16, 30, 5);
  it('stand in the zone of the Thing', () => {
    expect(formatTime(moment, 'en', 'Asia/Shanghai')).toBe('02/06/2025 00:30:05');
    expect(formatTime(moment, 'zh', 'Asia/Shanghai')).toBe('2025/06/02 00:30:05');
    expect(zoneOffset(moment, 'Asia/Shanghai')).toBe('UTC+8');
  });
  it('fall back to UTC for a zone the browser does not know', () => {
    expect(formatTime(moment, 'en', 'Mars/Olympus')).toBe('01/06/2025 16:30:05');
  });
  it('have ages in one unit, rounded down, never negative', () => {
    expect(formatAge(40_900, 'en')).toBe('40 s');
    expect(formatAge(-5000, 'en')).toBe('0 s');
    expect(formatAge(3 * 86_400_000, 'zh')).toBe('3 天');
    expect(formatAge(90_000, 'zh')).toBe('1 分钟');
  });
  it('have spans as people name them', () => {
    expect(formatSpan(6 * 3_600_000, 'en')).toBe('6 h');
    expect(formatSpan(24 * 3_600_000, 'en')).toBe('24 h');
    expect(formatSpan(7 * 86_400_000, 'zh')).toBe('7 天');
  });
});
