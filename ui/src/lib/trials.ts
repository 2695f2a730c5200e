/** Trials of the API, and what pages need of them. */

import type { Names } from './api';
import { formatNumber, formatPlain, type Language } from './format';

export type TrialState = 'draft' | 'waiting' | 'under_way' | 'ended' | 'decided' | 'withdrawn';
export interface Graded {
  candidate: string;
  reference: string;
  outcome: string;
  ranges: Record<string, [number | null, number | null]>;
  units: Record<string, string>;
  notes: string[];
}
export interface TrialShort {
  id: number;
  title: string;
  question: string;
  place: string;
  property: string;
  names: Names | null;
  unit: string;
  symbol: string;
  candidates: string[];
  references: string[];
  start: number | null;
  end: number | null;
  state: TrialState;
  frozen_at: number | null;
  amendments: number;
  run_at: number | null;
  is_confirmatory: boolean | null;
  outcomes: Graded[];
  created_by: string;
  changed: number;
}
/** A condition, maintenance or sample of a plan as the form knows it; more keys stay as they are. */
export interface ConditionPlan {
  datastream?: string | null;
  edges?: number[];
  [more: string]: unknown;
}
export interface MaintenancePlan {
  start?: string | null;
  end?: string | null;
  kind?: string;
  reason?: string;
  [more: string]: unknown;
}
export interface SamplePlan {
  name?: string;
  datastream?: string | null;
  laboratory?: string;
  method?: string;
  uncertainty?: number | null;
  window?: string | number | null;
  [more: string]: unknown;
}
export interface ArmPlan {
  name: string;
  datastream?: string | null;
  lot?: string;
  t90?: string | number | null;
  maker?: string;
  model?: string;
  serial?: string;
  certificate?: string;
  every?: string | number | null;
  uncertainty?: number | null;
}
export interface EndpointPlan {
  name: string;
  statistic: string;
  margin: number;
  unit?: string | null;
  relative?: boolean;
  origin?: string;
  source?: string;
  kind?: string;
  alpha?: number;
  against?: string;
  [more: string]: unknown;
}
/** As PLAN.toml has it; whatever the form does not know stays as it is. */
export interface PlanDocument {
  trial: { title: string; property: string; unit: string; question?: string; place?: string; responsible?: string; cleaning?: string; start?: string | null; end?: string | null; time_zone?: string; standard?: string | null; range_edges?: number[] };
  candidate: ArmPlan[];
  reference: ArmPlan[];
  endpoint: EndpointPlan[];
  sample?: SamplePlan[];
  condition?: Record<string, ConditionPlan>;
  maintenance?: MaintenancePlan[];
  [more: string]: unknown;
}
export interface HistoryEntry {
  at: string;
  by: string;
  why: string;
  hash: string;
  before: string;
  plan_hash: string;
  changes: { key: string; before: unknown; after: unknown }[];
}
export interface RunShort {
  id: number;
  at: number;
  as_of: number;
  by: string;
  decided: boolean;
  data_hash: string;
  outcomes: Graded[];
}
export interface Trial extends TrialShort {
  plan: PlanDocument;
  understood: PlanDocument;
  plan_hash: string;
  hash: string;
  history: HistoryEntry[];
  runs: RunShort[];
}
export interface Step {
  part: string;
  done: number;
  of: number;
  about: string;
}
export interface Running {
  running: boolean;
  trial: number | null;
  since: number | null;
  doing: string;
  comparison: Step;
  step: Step;
  resamples: Step;
  is_given_up: boolean;
  error: string;
}
export interface Sizing {
  effective: number;
  pairs: number;
  days: number;
  grab_samples: number;
  apart_s: number;
  by_references: Record<string, number>;
  difference: number;
  margin: number;
  power: number;
  note: string;
}
export interface TrialSizes {
  sizes: { candidate: string; reference: string; endpoint: string; sizing: Sizing | null; reason: string }[];
  words: TrialResult['words'];
}
export interface TrialList {
  trials: TrialShort[];
  running: Running;
  origins: string[];
  statistics: Record<string, string>;
  words: Record<string, Names>;
}
export interface TrialProgress {
  at: number;
  share: number | null;
  arms: { name: string; datastream: string; is_candidate: boolean; rows: number; usable: number; due: number | null; yield: number | null; newest: number | null }[];
  pairs: { candidate: string; reference: string; pairs: number; note: string }[];
  cleanings: number;
}
export interface Figure {
  name: string;
  value: number | null;
  unit: string;
  interval: [number | null, number | null];
  probability: number;
  n: number;
  n_effective: number | null;
  method: string;
  note: string;
}
export interface Decision {
  endpoint: string;
  statistic: string;
  kind: string;
  alpha: number;
  outcome: string;
  figure: Figure;
  margin: number | null;
  margin_origin: string;
  margin_source: string;
  reason: string;
  /** What keeps the decision from being claimed; empty where its error rate was shown. */
  note?: string;
  told: Names;
  /** Between which values the statistic does no harm; null: that side is open. */
  allowed: [number | null, number | null];
}
export interface Stratum {
  condition: string;
  low: number | null;
  high: number | null;
  unit: string;
  n: number;
  figures: Figure[];
  decisions: Decision[];
}
export interface Alignment {
  pairs: number;
  candidate_rows: number;
  reference_rows: number;
  candidate_used: number;
  reference_used: number;
  candidate_left_out: Record<string, number>;
  reference_left_out: Record<string, number>;
  notes: string[];
}
export interface Comparison {
  candidate: string;
  reference: string;
  alignment: Alignment;
  figures: Figure[];
  without_suspect: Figure[];
  strata: Stratum[];
  over_time: Stratum[];
  decisions: Decision[];
  grade: Graded | null;
  availability: Record<string, { data_yield: Figure; uptime: Figure }>;
  samples: Record<string, Figure[]>;
  classes: ClassAgreement | null;
}
export interface ClassAgreement {
  classes: string[];
  /** Pairs by class of the reference (rows) and of the candidate (columns). */
  confusion: number[][];
  figures: Figure[];
  off_by_one: number;
  off_by_more: number;
  near: number;
  undecided: number;
}
export interface UnitRow {
  name: string;
  lot: string;
  n: number;
  mean: number | null;
  sd: number | null;
  interval: [number | null, number | null];
  apart: number | null;
}
export interface Components {
  within: Figure;
  unit: Figure;
  lot: Figure;
  total: number | null;
  units: UnitRow[];
  lots: UnitRow[];
}
export interface TrialResult {
  run: number;
  at: number;
  as_of: number;
  by: string;
  decided: boolean;
  is_confirmatory: boolean;
  is_current: boolean;
  interim: string | null;
  data_hash: string;
  command: string;
  comparisons: Comparison[];
  /** How units and lots differ, by reference; empty of one candidate. */
  units: Record<string, Components>;
  notes: string[];
  words: { names: Record<string, Names>; sentences: Record<string, string>; symbols: Record<string, string> };
}
export interface Drawn {
  candidate: string;
  reference: string;
  unit: string;
  pairs: { all: number; time: number[]; candidate: number[]; reference: number[]; difference: number[]; censored: boolean[] };
  histogram: { edges: number[]; counts: number[] };
  autocorrelation: { values: (number | null)[]; step_s: number; band: number | null };
  /** Absent in what a server drew before it knew them. */
  sloping?: { x: number[]; lower: (number | null)[]; bias: (number | null)[]; upper: (number | null)[] } | null;
  lines?: { name: string; x: number[]; y: number[]; low: number[] | null; high: number[] | null }[];
  drift?: { start: number; end: number; first: number; last: number; slope: number; interval: [number | null, number | null]; unit: string; n: number }[];
}
export interface TrialMark {
  start: number;
  end: number | null;
  kind: string;
  note: string;
  from: string;
}
export interface TrialPlots {
  run: number;
  comparisons: Drawn[];
  marks: TrialMark[];
}

/** The plan with what it leaves unsaid, as it is understood: a form that showed something else would change it. */
export function withDefaults(plan: PlanDocument): PlanDocument {
  const unsaid = { kind: 'non_inferiority', alpha: 0.025, origin: 'user' };
  return { ...plan, endpoint: (plan.endpoint ?? []).map((one) => ({ ...unsaid, ...one })) };
}

/** A pass, a failure, and an answer that nothing was shown each stand out alike. */
export function toneOf(outcome: string): 'good' | 'warn' | 'bad' | 'idle' {
  if (outcome === 'non_inferior' || outcome === 'equivalent') return 'good';
  if (outcome === 'inferior') return 'bad';
  return outcome === 'inconclusive' ? 'warn' : 'idle';
}

/** Decimals that a number beside an interval deserves: two digits of the interval's width, no more than six. */
export function decimalsBeside(low: number | null, high: number | null, value: number | null): number {
  const width = low !== null && high !== null ? Math.abs(high - low) : 0;
  const scale = width > 0 ? width : Math.abs(value ?? 1) || 1;
  return Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(scale))));
}

/** "0.021 [0.011, 0.031]"; an end that is not known is open. */
export function figureText(figure: Figure, language: Language): string {
  const [low, high] = figure.interval;
  const places = decimalsBeside(low, high, figure.value);
  const told = (value: number | null): string => (value === null ? '–' : formatNumber(value, places, language));
  if (low === null && high === null) return figure.value === null ? '–' : formatPlain(figure.value, language, 4);
  return `${told(figure.value)} [${told(low)}, ${told(high)}]`;
}

/** About so many round values from low to high. */
export function ticks(low: number, high: number, count: number): number[] {
  const raw = (high - low) / Math.max(count, 1);
  if (!(raw > 0) || !Number.isFinite(raw)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 2.5, 5, 10].find((one) => one * power >= raw * 0.999) ?? 10) * power;
  const found: number[] = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1) found.push(at * step + 0);
  return found;
}

/** The same of times: steps that a clock or a calendar has. */
export function timeTicks(low: number, high: number, count: number): [number[], number] {
  const steps = [60e3, 300e3, 900e3, 3600e3, 3 * 3600e3, 6 * 3600e3, 12 * 3600e3, 864e5, 2 * 864e5, 7 * 864e5, 14 * 864e5, 28 * 864e5, 84 * 864e5, 364 * 864e5];
  const step = steps.find((one) => (high - low) / one <= count) ?? (steps.at(-1) as number);
  const offset = new Date(low).getTimezoneOffset() * 60e3;
  const found: number[] = [];
  for (let at = Math.ceil((low - offset) / step) * step + offset; at <= high; at += step) found.push(at);
  return [found, step];
}

/** The least and the greatest of some numbers, with a little room. */
export function reach(values: (number | null | undefined)[], room = 0.06): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value === null || value === undefined || !Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return [0, 1];
  const width = high - low || Math.abs(low) || 1;
  return [low - room * width, high + room * width];
}

/** The polygon between two lines over the same places, as the points of SVG; empty where an end is not known. */
export function between(x: number[], low: (number | null)[], high: (number | null)[], px: (value: number) => number, py: (value: number) => number): string {
  if ([...low, ...high].some((value) => value === null)) return '';
  const edge = (values: (number | null)[], at: number): string => `${px(x[at] as number).toFixed(1)},${py(values[at] as number).toFixed(1)}`;
  return [...x.map((_, at) => edge(high, at)), ...x.map((_, at) => edge(low, x.length - 1 - at))].join(' ');
}

/** What of a list was changed, added and taken away, else the two values: a wall of JSON tells nobody anything. */
export function changeOf(before: unknown, after: unknown): { gone: string[]; come: string[] } {
  const plain = (value: unknown): string => {
    if (value === null || value === undefined || value === '') return '–';
    if (Array.isArray(value)) return value.map(plain).join(', ');
    if (typeof value !== 'object') return String(value);
    const told = Object.entries(value).filter(([name, part]) => part !== null && part !== '' && !(Array.isArray(part) && !part.length) && !/_column$/.test(name));
    return told.map(([name, part]) => `${name} ${plain(part)}`).join(', ');
  };
  if (!Array.isArray(before) || !Array.isArray(after)) return { gone: [plain(before)], come: [plain(after)] };
  const [old, now] = [before.map(plain), after.map(plain)];
  return { gone: old.filter((one) => !now.includes(one)), come: now.filter((one) => !old.includes(one)) };
}
