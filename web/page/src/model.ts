// What the server sends: package lab's Model and Outline describe each field.

export interface Text {
  en: string;
  zh: string;
}

export interface Recipe {
  format: "trivet-lab-recipe/1";
  scenario: string;
  seed: number;
  params: Record<string, string>;
  do: string[];
}

export interface Param {
  name: string;
  kind: "duration" | "probability" | "number" | "size" | "rate" | "switch" | "choice";
  default: string;
  min?: string;
  max?: string;
  choices?: string[];
  text: Text;
}

export interface Scenario {
  name: string;
  title: Text;
  why: Text;
  cite: string;
  params: Param[];
}

export interface About {
  scenarios: Scenario[];
  saves: boolean;
}

export interface Connection {
  hosts: [string, string];
  addrs: [string, string];
  begin: number;
  end: number;
  segments: number;
  bytes: [number, number];
  initial: [string, string];
  final: [string, string];
  shown: boolean;
}

export interface Header {
  src_port: number;
  dst_port: number;
  seq: number;
  ack: number;
  flags: string[];
  window: number;
  urgent?: number;
  mss?: number;
  wscale?: number;
  sack_ok?: boolean;
  ts_val?: number;
  ts_ecr?: number;
  ttl: number;
  tos: number;
}

export interface Segment {
  number: number;
  copy?: number;
  connection: number;
  from: string;
  to: string;
  sent: number;
  ended: number;
  fate: string;
  lost?: boolean;
  corrupted?: boolean;
  delayed?: boolean;
  marked?: boolean;
  kind?: string;
  words?: string;
  header?: Header;
  seq: number;
  ack: number;
  len: number;
  window: number;
  sack?: [number, number][];
  repeats?: number;
  sender?: string;
  receiver?: string;
  text: Text;
  hex: string;
}

export interface Event {
  time: number;
  host?: string;
  kind: "send" | "arrive" | "lose" | "state" | "rule" | "timer" | "call" | "drop" | "note";
  connection: number;
  segment?: number;
  from?: string;
  to?: string;
  rule?: string;
  cite?: string;
  timer?: string;
  call?: string;
  n?: number;
  error?: string;
  text: Text;
  before: number;
  after: number;
}

export interface Step {
  event: number;
  time: number;
  text: Text;
}

export interface Snapshot {
  time: number;
  host: string;
  connection: number;
  previous: number;
  set: Record<string, string | number | boolean>;
}

export interface Field {
  name: string;
  unit: "bytes" | "ns" | "count" | "seq" | "word" | "switch";
  text: Text;
}

export interface Socket {
  state: string;
  recv_q: number;
  send_q: number;
  local: string;
  peer: string;
  timer?: string;
  expires?: number;
  orphan?: boolean;
}

export interface Table {
  event: number; // holds after the events before this one
  time: number;
  host: string;
  rows: Socket[];
  more?: number;
}

export interface Series {
  host: string;
  connection: number;
  time: number[];
  cwnd: number[];
  ssthresh: number[];
  flight: number[];
  srtt: number[];
  rto: number[];
  snd_wnd: number[];
  rcv_wnd: number[];
  unread: number[];
  not_sent: number[];
}

export interface Queue {
  host: string;
  time: number[];
  syn_queue: number[];
  accept: number[];
  time_waits: number[];
  link: number[];
}

export interface Part {
  window: { first_event: number; total_events: number; first_segment: number; total_segments: number };
  segments: Segment[];
  events: Event[];
  snapshots: Snapshot[];
}

export interface Model extends Part {
  recipe: Recipe;
  scenario: Scenario;
  params: Record<string, string>;
  end: number;
  hosts: { name: string; addr: string }[];
  connections: Connection[];
  fields: Field[];
  sockets: Table[];
  series: Series[];
  queues: Queue[];
  findings: { connection: number; texts: Text[] }[];
  checks: { text: Text; ok: boolean; got?: string }[];
  passed: boolean;
}

export interface Outline {
  since: number[];
  kind: string;
  host: number[];
  connection: number[];
  packet: number[];
  states: { event: number; host: number; connection: number; from: string; to: string }[];
  steps: Step[];
  segments: {
    packet: number[];
    connection: number[];
    from: number[];
    to: number[];
    sent: number[];
    ended: number[];
    kind: string[];
    seq: number[];
    len: number[];
    ack: number[];
    window: number[];
    repeats: number[];
    lost: number[];
    sack: [number, number, number][];
  };
}
