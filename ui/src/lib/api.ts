/** The native API, as types and one fetching function. Times are milliseconds since 1970, UTC. */

export interface Names {
  en: string;
  zh: string;
}
export type State = 'live' | 'silent' | 'disconnected' | 'starting' | 'stopped' | 'broken' | 'none';

export interface Status {
  name: string;
  version: string;
  now: number;
  speed: number;
  started: number;
  things: number;
  datastreams: number;
  observations: number;
  rate_per_s: number;
  shed: number;
  /** Why rows are not taken at present; null while they are. */
  refusing: string | null;
  /** Why the last seal, or compaction, failed; empty where it did not. */
  seal_error: string;
  compaction_error: string;
  damage: string[];
  demo: boolean;
}
export interface Device {
  device: string;
  state: State;
  detail: string;
  since: number;
}
export interface Source {
  name: string;
  driver: string;
  state: State;
  detail: string;
  since: number;
  devices: Device[];
  received: number;
  bad_frames: number;
  thing?: string | null;
}
export interface Latest {
  id: number;
  time: number;
  result: number | null;
  uncertainty: number | null;
  quality: number;
  censored: number | null;
  mark: string | null;
  tests: string | null;
}
export interface Spark {
  time: number[];
  result: (number | null)[];
  quality: number[];
}
export interface DatastreamShort {
  id: number;
  key: string;
  name: string;
  names: Names;
  property: string;
  unit: string;
  symbol: string;
  /** Reporting decimals of the vocabulary; null for a property it lacks. */
  decimals: number | null;
  origin: string;
  profile: string | null;
  latest: Latest | null;
  spark?: Spark;
}
export interface Limiting {
  property: string;
  names: Names;
  value: number | null;
  unit: string;
  class: string | null;
  multiple: number | null;
}
export interface VerdictShort {
  standard: string | null;
  applicable: boolean;
  reason?: Names;
  class: string | null;
  target_class?: string | null;
  met?: boolean | null;
  limiting?: Limiting[];
  assessed?: number;
  required?: number;
  indicative?: boolean;
  indicative_reason?: Names | null;
  start?: number;
  end?: number;
  class_without_suspect?: string | null;
}
export interface VerdictItem {
  not_evaluated?: number;
  property: string;
  names: Names;
  value: number | null;
  unit: string;
  symbol: string;
  decimals: number | null;
  class: string | null;
  limit: number | number[] | null;
  target_limit: number | number[] | null;
  multiple: number | null;
  n: number;
  suspect: number;
  failed: number;
  missing: number;
  without_suspect: { value: number | null; class: string | null } | null;
}
/** A property that was not assessed; a reference item brings its value along. */
export type NamedProperty = { property: string; names: Names } & Partial<VerdictItem>;
export interface Verdict extends VerdictShort {
  items?: VerdictItem[];
  missing_items?: NamedProperty[];
  reference_items?: NamedProperty[];
  notes?: Names[];
  without_suspect?: VerdictShort | null;
  data?: Record<string, unknown>;
}
export interface VerdictDay {
  start: number;
  end: number;
  class: string | null;
  met: boolean | null;
  limiting: string[];
  assessed: number;
}
export interface SensorInfo {
  id: number;
  key: string;
  name: string;
  maker?: string | null;
  model?: string | null;
  properties?: Record<string, unknown>;
}
export interface ThingShort {
  id: number;
  key: string;
  name: string;
  names: Names;
  description: string;
  water_body: string;
  target_class: string | null;
  time_zone: string;
  location: [number, number] | null;
  state: State;
  sources: Source[];
  verdict: VerdictShort | null;
  datastreams: DatastreamShort[];
}
export interface ThingDetail extends ThingShort {
  sensors: SensorInfo[];
}
export interface LogEvent {
  time: number;
  kind: string;
  datastream: number | null;
  /** Words in both languages, or what happened as fields. */
  detail: Partial<Names> & Record<string, unknown>;
}
export interface ProfileTest {
  name: string;
  slot: number;
  required: boolean;
  title: Names;
  clause: string;
  parameters: Record<string, unknown>;
}
export interface CalibrationRow {
  id: number;
  /** Null: from the beginning. */
  valid_from: number | null;
  kind?: string | null;
  certificate?: string | null;
  document: Record<string, unknown>;
  /** False where the record that put it into force was corrected or withdrawn. */
  in_force?: boolean;
}
export interface Deviation {
  deviation: number | null;
  percent: number | null;
  /** Standard uncertainty, k = 1. */
  uncertainty: number | null;
  passed: boolean | null;
}
export interface CalibrationPoint {
  standard: { id: number; version: number; key: string; name: string; lot: string; certificate: string; issued_by: string; expires: number | null } | null;
  value: number;
  unit: string;
  uncertainty: number | null;
  before: number | null;
  after: number | null;
  readings: number | null;
  spread: number | null;
  temperature: number | null;
}
export interface CalibrationOutcome {
  points: Deviation[];
  largest: number | null;
  passed: boolean | null;
  computed?: boolean;
}
/** What was done to an instrument and found; `id` stays through all versions. */
export interface CalibrationRecord {
  id: number;
  version: number;
  kind: string;
  datastream: string;
  sensor: string;
  time: number;
  effective: number;
  operator: string;
  points: CalibrationPoint[];
  limit: number | null;
  limit_percent: number | null;
  outcome: { as_found?: CalibrationOutcome; as_left?: CalibrationOutcome };
  passed: boolean | null;
  due: number | null;
  calibration: number | null;
  fit: {
    form: string;
    residuals: (number | null)[];
    degrees: number;
    residual_deviation: number | null;
    r_squared: number | null;
    birge: number | null;
    probability: number | null;
  } | null;
  expired: string[];
  accept_expired: string;
  attachments: string[];
  comment: string;
  by: string;
  at: number;
}
/** How the calibration of a Datastream stands. */
export interface CalibrationStanding {
  datastream: string;
  id: number;
  thing: string;
  sensor: string;
  state: string;
  due: number | null;
  left_s: number | null;
  every: string | null;
  last: { id: number; kind: string; time: number } | null;
}
export interface StandardSolution {
  id: number;
  key: string;
  name: string;
  quantity: string;
  value: number;
  unit: string;
  uncertainty: number | null;
  lot: string;
  certificate: string;
  issued_by: string;
  opened: number | null;
  expires: number | null;
}
/** An input of a derived Datastream: another Datastream, or a constant. */
export interface DerivedInput {
  datastream?: string;
  align?: string;
  tolerance?: string;
  value?: number | null;
  uncertainty?: number | null;
  unit?: string | null;
}
export interface DerivedDocument {
  function: string;
  inputs: Record<string, DerivedInput>;
  clock?: string | null;
  align?: string;
  tolerance?: string;
  deadline?: string;
  version: number;
  since: number;
  problem: string | null;
}
export interface DatastreamDetail extends DatastreamShort {
  thing: { id: number; key: string; name: string };
  sensor: SensorInfo | null;
  source: Source | null;
  channel: string | null;
  raw_unit?: string | null;
  extent: [number, number] | null;
  count: number;
  profile_detail: { name: string; version: string; tests: ProfileTest[] } | null;
  calibrations: CalibrationRow[];
  derived: DerivedDocument | null;
  clock_resolution_us: number;
  mark_scheme: string | null;
}
export interface Columns {
  id: number[];
  time: number[];
  result: (number | null)[];
  raw_result: (number | null)[];
  uncertainty: (number | null)[];
  quality: number[];
  tests: (string | null)[];
  mark: (string | null)[];
  censored: (number | null)[];
  sample: number[];
}
/** What a chart's rows are: all, reduced from all, or reduced from those that stand for each hour or day. */
export type Resolution = 'raw' | 'extremes' | 'hour' | 'day';
export interface Observations {
  datastream: number;
  start: number;
  end: number;
  rows: number;
  returned: number;
  resolution: Resolution;
  as_of: number | null;
  columns: Columns;
}
export interface Evidence {
  observation: Record<string, unknown>;
  tests: { name: string; outcome: number }[];
  calibration: CalibrationRow | null;
  profile: { name: string; version: string } | null;
  source: string | null;
  revisions: Record<string, unknown>[];
}
export interface LiveRows {
  now: number;
  rows: Record<string, Columns>;
}
export interface LiveSettled {
  rows: Record<string, { id: number[]; quality: number[]; tests: (string | null)[] }>;
}

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** The key or field that it is about, where the server names one. */
  readonly place: string;
  constructor(status: number, code: string, message: string, place = '') {
    super(message);
    this.status = status;
    this.code = code;
    this.place = place;
  }
}

type Parameters = Record<string, string | number | boolean | null | undefined>;

export function address(path: string, parameters: Parameters = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined) query.set(name, String(value));
  }
  const text = query.toString();
  return `/api/v1/${path}${text ? `?${text}` : ''}`;
}

/** GET one document; throws ApiError with the server's own message, status 0 when the server was not reached. */
export function get<T>(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<T> {
  return answered<T>(address(path, parameters), { headers: { accept: 'application/json' }, signal: signal ?? null });
}

/** Sends a document and returns what came of it; fails as `get` does. */
export function send<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, document: object = {}): Promise<T> {
  return answered<T>(address(path), { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(document) });
}

/** A file that is made when it is asked for, with the name the server gives it; fails as `get` does. */
export async function file(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<File> {
  const response = await reached(address(path, parameters), { signal: signal ?? null });
  const name = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1];
  return new File([await response.blob()], name ?? path.split('/').at(-1) ?? 'file');
}

async function answered<T>(url: string, init: RequestInit): Promise<T> {
  return (await (await reached(url, init)).json()) as T;
}

async function reached(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'unreachable', '');
  }
  if (!response.ok) {
    let code = 'http_error';
    let message = `${response.status} ${response.statusText}`;
    let place = '';
    try {
      const body = (await response.json()) as { error?: { code?: string; message?: string; place?: string | null } };
      if (body.error) {
        code = body.error.code ?? code;
        place = body.error.place ?? '';
        message = [body.error.message ?? message, body.error.place].filter(Boolean).join(' · ');
      }
    } catch {
      // The answer was no JSON: the status line has to do.
    }
    throw new ApiError(response.status, code, message, place);
  }
  return response;
}
