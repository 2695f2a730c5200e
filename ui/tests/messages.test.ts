import { describe, expect, it } from 'vitest';
import { messages } from '../src/lib/messages';

const placeholders = (text: string): string => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort().join();
/** What is written alike in both languages. */
const SAME = new Set(['app.title', 'overview.count']);
const texts = Object.entries(messages) as [string, readonly [string, string]][];
const offenders = (isWrong: (en: string, zh: string, key: string) => boolean): string[] =>
  texts.filter(([key, [en, zh]]) => isWrong(en, zh, key)).map(([key]) => key);

describe('every text of the interface', () => {
  it('exists in both languages', () => {
    expect(offenders((en, zh) => en.trim() === '' || zh.trim() === '')).toEqual([]);
  });
  it('has the same places to fill in both languages', () => {
    expect(offenders((en, zh) => placeholders(en) !== placeholders(zh))).toEqual([]);
  });
  it('is English in English', () => {
    expect(offenders((en) => /\p{Script=Han}/u.test(en))).toEqual([]);
  });
  it('is Chinese in Chinese', () => {
    expect(offenders((en, zh, key) => !SAME.has(key) && /[a-z]{3,}/.test(en.replace(/\{\w+\}/g, '')) && !/\p{Script=Han}/u.test(zh))).toEqual([]);
  });
  it('has full-width punctuation between Chinese words', () => {
    expect(offenders((_en, zh) => /\p{Script=Han}[,;:](\p{Script=Han}|$)/u.test(zh))).toEqual([]);
  });
});
