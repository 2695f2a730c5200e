/** The QARTOD flags: one meaning, one colour, one shape. */

export const PASS = 1;
export const NOT_EVALUATED = 2;
export const SUSPECT = 3;
export const FAIL = 4;
export const MISSING = 9;

export type FlagName = 'pass' | 'not_evaluated' | 'suspect' | 'fail' | 'missing';

export function flagName(flag: number): FlagName {
  switch (flag) {
    case PASS:
      return 'pass';
    case SUSPECT:
      return 'suspect';
    case FAIL:
      return 'fail';
    case MISSING:
      return 'missing';
    default:
      return 'not_evaluated';
  }
}

/** The outcome of test `slot`; no digits at all means that every test passed. */
export function outcome(tests: string | null | undefined, slot: number): number {
  if (tests === null || tests === undefined || tests === '') return PASS;
  const digit = tests.charCodeAt(slot) - 48;
  return digit === PASS || digit === SUSPECT || digit === FAIL || digit === MISSING ? digit : NOT_EVALUATED;
}

const SEVERITY: Record<number, number> = { [FAIL]: 4, [SUSPECT]: 3, [MISSING]: 2, [NOT_EVALUATED]: 1, [PASS]: 0 };

/** How urgently a flag wants to be seen: 0 (pass) to 4 (fail). */
export function severity(flag: number): number {
  return SEVERITY[flag] ?? 1;
}
