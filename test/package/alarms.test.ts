import { describe, expect, test } from "vitest";
import { stackResources } from "../../infra/stack.ts";
import { alarmsOf, type Minute, type Notification, replay, type Unknowns } from "./replay.ts";
import { parametersOf, Template } from "./template.ts";

const MODES = ["scheduler", "sweep"] as const;
type Mode = (typeof MODES)[number];

/** What happens in each minute. Trouble starts with minute 0. */
type History = (minute: number, mode: Mode) => Minute;

/** In order: which alarm pages, from which minute to which, and which minute it is over at the latest. Without: it goes on. */
type Page = readonly [alarm: string, earliest: number, latest: number, over?: number];

interface Outcome {
  readonly pages?: readonly Page[] | Readonly<Record<Mode, readonly Page[]>>;
  /** The tickets that are raised, in any order. */
  readonly tickets?: readonly string[];
  readonly modes?: readonly Mode[];
  /** How long it is watched, in minutes. */
  readonly to?: number;
  /** When the alarms are created. By default long before. */
  readonly from?: number;
}

/** The longest warm-up, and some minutes more. */
const LONG_BEFORE = -13;

/** Each history must end alike, however CloudWatch does what it does not document. */
const UNKNOWNS: readonly Unknowns[] = [
  // As in the guide's examples.
  { extraPoints: 2, delay: 0, fillsEmptySeries: true },
  { extraPoints: 2, delay: 1, fillsEmptySeries: false },
  { extraPoints: 1, delay: 1, fillsEmptySeries: true },
  { extraPoints: 5, delay: 0, fillsEmptySeries: false },
];

/** A minute in which all goes well. */
function healthy(mode: Mode, orders: number, reads = 10 * orders): Minute {
  const requests = orders + reads;
  return {
    ...IDLE,
    ...(requests > 0 && {
      Count: requests,
      "4xx": 0,
      "5xx": 0,
      ThrottledRequests: 0,
      FailedOrders: 0,
      Latency: [[40, requests]],
      RedisLatency: [[3, requests]],
    }),
    ...(orders > 0 && {
      OrdersCreated: orders,
      ...(mode === "scheduler" ? { OrdersCompleted: orders } : { OrdersCompletedBySweep: orders }),
      CompletionLag: [[mode === "scheduler" ? 30_000 : 200, orders]],
    }),
  };
}

/** The pollers write their gauges, and there are no calls. */
const IDLE: Minute = {
  OverdueOrders: 0,
  ConsumerLag: 0,
  RefundBacklog: 0,
  RefundDeadLetters: 0,
  RedisLatency: [[3, 2]],
};

/** 1,000 requests a minute. */
const busy = (mode: Mode) => healthy(mode, 90, 910);

/** One order in 10 minutes. */
const quiet = (minute: number, mode: Mode) => healthy(mode, minute % 10 === 0 ? 1 : 0, minute % 10 === 0 ? 1 : 0);

/** Some of a minute's orders and reads fail with 5xx. */
function failing(minute: Minute, orders: number, reads = 0): Minute {
  const created = Number(minute.OrdersCreated ?? 0) - orders;
  const { OrdersCreated: _, ...rest } = minute;
  return {
    ...rest,
    ...(created > 0 && { OrdersCreated: created }),
    FailedOrders: orders,
    "5xx": orders + reads,
  };
}

/** Without the metrics of functions that crash. */
function without(minute: Minute, ...names: string[]): Minute {
  return Object.fromEntries(Object.entries(minute).filter(([name]) => !names.includes(name)));
}

const COMPLETED = ["OverdueOrders", "ConsumerLag", "OrdersCompleted", "OrdersCompletedBySweep", "CompletionLag"];
const during = (minute: number, length: number) => minute >= 0 && minute < length;

const FAILED_INVOCATIONS = "ApproximateNumberOfMessagesVisible FailedInvocations";
const UNDELIVERED = "ApproximateNumberOfMessagesVisible UndeliveredCompletions";

const HISTORIES: Readonly<Record<string, readonly [History, Outcome]>> = {
  "an idle night": [() => IDLE, { to: 600 }],
  "a busy day": [(_, mode) => busy(mode), {}],
  "one failing request on a quiet stage": [
    (minute, mode) => (minute === 0 ? failing(quiet(0, mode), 1) : quiet(minute, mode)),
    {},
  ],
  "two failing requests on a quiet stage": [
    (minute, mode) => (minute === 0 || minute === 20 ? failing(quiet(0, mode), 1) : quiet(minute, mode)),
    {},
  ],
  "two failing requests at once on a quiet stage": [
    (minute, mode) => (minute === 0 ? failing(healthy(mode, 2, 0), 2) : quiet(minute, mode)),
    {},
  ],
  "every order of a quiet stage fails": [
    (minute, mode) => (minute < 0 ? quiet(minute, mode) : failing(quiet(minute, mode), minute % 10 === 0 ? 1 : 0)),
    { pages: [["failed-requests-slow", 25, 40]] },
  ],
  "a total outage of 8 minutes": [
    (minute, mode) => (during(minute, 8) ? without(failing(busy(mode), 90, 910), ...NO_ORDERS) : busy(mode)),
    { pages: [["failed-requests", 1, 3, 8 + 6]] },
  ],
  "two minutes of outage": [
    (minute, mode) => (during(minute, 2) ? failing(busy(mode), 90, 910) : busy(mode)),
    { pages: [["failed-requests", 1, 3, 2 + 6]] },
  ],
  "a second of outage": [(minute, mode) => (minute === 0 ? failing(busy(mode), 2, 15) : busy(mode)), {}],
  "10 % of the orders fail beside good reads": [
    (minute, mode) => (minute >= 0 ? failing(busy(mode), 9) : busy(mode)),
    { pages: [["failed-requests", 2, 5]] },
  ],
  "2 % of the requests fail": [
    (minute, mode) => (minute >= 0 ? failing(busy(mode), 2, 18) : busy(mode)),
    { pages: [["failed-requests-slow", 15, 25]] },
  ],
  "10 % of the reads fail": [
    (minute, mode) => (minute >= 0 ? failing(busy(mode), 0, 100) : busy(mode)),
    { pages: [["failed-requests", 2, 5]] },
  ],
  "a client is throttled for 20 minutes": [
    (minute, mode) => (during(minute, 20) ? { ...busy(mode), "4xx": 100, ThrottledRequests: 100 } : busy(mode)),
    { pages: [["failed-requests", 2, 5, 20 + 6]] },
  ],
  "the inventory takes 1.9 s": [
    (minute, mode) =>
      minute >= 0
        ? {
            ...busy(mode),
            Latency: [
              [40, 910],
              [1_900, 90],
            ],
          }
        : busy(mode),
    { tickets: ["api-latency"] },
  ],
  "the inventory takes longer than an order may wait": [
    (minute, mode) =>
      minute >= 0
        ? {
            ...without(failing(busy(mode), 90), ...NO_ORDERS),
            Latency: [
              [40, 910],
              [2_050, 90],
            ],
          }
        : busy(mode),
    { pages: [["failed-requests", 1, 3]], tickets: ["api-latency"] },
  ],
  "Redis is down for 30 minutes": [
    (minute, mode) => {
      if (during(minute, 30)) return { ...failing(busy(mode), 90, 910), ...DOWN };
      // What was due in that time completes late.
      return minute === 30 ? { ...busy(mode), CompletionLag: [[900_000, 90]] } : busy(mode);
    },
    {
      pages: {
        scheduler: [
          ["failed-requests", 1, 3, 36],
          ["overdue-orders", 5, 10, 38],
          ["refund-backlog", 10, 15, 46],
        ],
        sweep: [
          ["failed-requests", 1, 3, 36],
          ["overdue-orders", 3, 8, 38],
          ["refund-backlog", 10, 15, 46],
        ],
      },
      tickets: ["redis-errors", "failed-invocations"],
    },
  ],
  "both completers crash": [
    (minute, mode) =>
      minute >= 0 ? { ...without(busy(mode), ...COMPLETED), [FAILED_INVOCATIONS]: minute >= 3 ? 90 : 0 } : busy(mode),
    {
      pages: { scheduler: [["overdue-orders", 5, 5]], sweep: [["overdue-orders", 3, 3]] },
      tickets: ["failed-invocations"],
    },
  ],
  "both completers crash on a quiet stage": [
    (minute, mode) =>
      minute >= 0
        ? { ...without(quiet(minute, mode), ...COMPLETED), [FAILED_INVOCATIONS]: minute >= 3 ? 1 : 0 }
        : quiet(minute, mode),
    {
      pages: { scheduler: [["overdue-orders", 5, 5]], sweep: [["overdue-orders", 3, 3]] },
      tickets: ["failed-invocations"],
    },
  ],
  "nothing reads the pending orders any more": [
    (minute, mode) => (minute >= 0 ? without(quiet(minute, mode), ...COMPLETED) : quiet(minute, mode)),
    { pages: { scheduler: [["overdue-orders", 5, 5]], sweep: [["overdue-orders", 3, 3]] } },
  ],
  "the sweep crashes, and schedules complete the orders": [
    (minute, mode) =>
      minute >= 0
        ? { ...without(busy(mode), "OverdueOrders", "ConsumerLag"), [FAILED_INVOCATIONS]: minute >= 3 ? 1 : 0 }
        : busy(mode),
    { modes: ["scheduler"], tickets: ["failed-invocations"] },
  ],
  "a lost schedule each minute, which the sweep repairs": [
    (minute, mode) =>
      minute >= 0
        ? {
            ...healthy(mode, 10),
            OrdersCompleted: 9,
            OrdersCompletedBySweep: 1,
            CompletionLag: [
              [30_000, 9],
              [95_000, 1],
            ],
          }
        : healthy(mode, 10),
    { modes: ["scheduler"], tickets: ["late-orders-slow"], to: 240 },
  ],
  "five lost schedules, which the sweep repairs": [
    (minute, mode) =>
      during(minute, 5)
        ? {
            ...busy(mode),
            OrdersCompleted: 89,
            OrdersCompletedBySweep: 1,
            CompletionLag: [
              [30_000, 89],
              [95_000, 1],
            ],
          }
        : busy(mode),
    { modes: ["scheduler"] },
  ],
  "every schedule is lost, and the sweep completes the orders late": [
    (minute, mode) =>
      minute >= 0
        ? {
            ...without(busy(mode), "OrdersCompleted"),
            OrdersCompletedBySweep: 90,
            CompletionLag: [[95_000, 90]],
            [UNDELIVERED]: 90,
          }
        : busy(mode),
    {
      modes: ["scheduler"],
      pages: [["late-orders", 5, 10]],
      tickets: ["late-orders-slow", "undelivered-completions"],
    },
  ],
  "the sweep is 20 s late": [
    (minute, mode) => (minute >= 0 ? { ...busy(mode), CompletionLag: [[20_000, 90]] } : busy(mode)),
    { modes: ["sweep"], pages: [["late-orders", 5, 10]], tickets: ["late-orders-slow"] },
  ],
  "two minutes of late orders, after which nobody calls": [
    (minute) => (during(minute, 2) ? { ...IDLE, CompletionLag: [[95_000, 500]] } : IDLE),
    {
      // The window slides: the second page is for the same two minutes, in other periods.
      pages: [
        ["late-orders", 6, 7, 8],
        ["late-orders", 11, 12, 13],
      ],
      tickets: ["late-orders-slow"],
    },
  ],
  "an order that cannot be completed": [
    (minute, mode) => ({ ...busy(mode), OverdueOrders: minute >= 0 ? 1 : 0 }),
    { pages: { scheduler: [["overdue-orders", 5, 6]], sweep: [["overdue-orders", 3, 4]] } },
  ],
  "one sweep that runs out of time": [(minute, mode) => ({ ...busy(mode), OverdueOrders: minute === 0 ? 500 : 0 }), {}],
  "300 refunds per second": [(_, mode) => ({ ...busy(mode), RefundBacklog: 0, RefundsApplied: 18_000 }), { to: 180 }],
  "more refunds than are settled": [
    (minute, mode) => ({ ...busy(mode), RefundBacklog: Math.max(0, minute + 1) * 60_000, RefundsApplied: 120_000 }),
    { pages: [["refund-backlog", 10, 15]] },
  ],
  "a refund that cannot be settled among 300 per second": [
    (minute, mode) => ({ ...busy(mode), RefundBacklog: minute >= 0 ? 1 : 0, RefundsApplied: 18_000 }),
    { pages: [["refund-backlog", 10, 11]] },
  ],
  "a flood of refunds that is settled within 8 minutes": [
    (minute, mode) =>
      during(minute, 8)
        ? { ...busy(mode), RefundBacklog: 800_000 - 100_000 * minute, RefundsApplied: 100_000 }
        : busy(mode),
    {},
  ],
  "every run of the drain crashes": [
    (minute, mode) =>
      minute >= 0
        ? { ...without(busy(mode), "RefundBacklog", "RefundDeadLetters"), [FAILED_INVOCATIONS]: minute >= 3 ? 1 : 0 }
        : busy(mode),
    { pages: [["refund-backlog", 10, 15]], tickets: ["failed-invocations"] },
  ],
  "a refused refund": [
    (minute, mode) => ({ ...busy(mode), RefundDeadLetters: minute >= 0 ? 1 : 0 }),
    { tickets: ["refund-dead-letters"] },
  ],
  "a consumer that falls behind and catches up": [
    (minute, mode) => ({ ...busy(mode), ConsumerLag: during(minute, 30) ? 2_500 * minute : 0 }),
    { tickets: ["consumer-lag"] },
  ],
  "a consumer that is dead": [
    (minute, mode) => ({
      ...healthy(mode, 2_000),
      ConsumerLag: Math.min(120_000, Math.max(0, minute) * 2_000),
      // Whole nodes are trimmed, not in each minute.
      ...(minute > 60 && minute % 3 === 0 && { AnnouncementsLost: 6_000 }),
    }),
    { pages: [["entries-lost", 61, 66]], tickets: ["consumer-lag"], to: 120 },
  ],
  "someone trims refund_order": [
    (minute, mode) => ({ ...busy(mode), ...(minute === 0 && { RefundsTrimmed: 3 }) }),
    { pages: [["entries-lost", 1, 2, 63]], to: 70 },
  ],
  "Redis errors that retries repair": [
    (minute, mode) => ({ ...busy(mode), ...(minute >= 0 && { RedisErrors: 50 }) }),
    { tickets: ["redis-errors"] },
  ],
  "a single Redis error at night": [(minute) => ({ ...IDLE, ...(minute === 0 && { RedisErrors: 1 }) }), {}],
  "clients whose tokens expired": [
    (minute, mode) => ({ ...busy(mode), "4xx": minute >= 0 ? 500 : 0 }),
    { tickets: ["api-4xx-rate"] },
  ],
  "a scanner on a quiet stage": [
    (minute, mode) => ({ ...quiet(minute, mode), ...(minute === 0 && { Count: 80, "4xx": 80 }) }),
    {},
  ],
  "a first deploy": [(minute, mode) => (minute < 4 ? {} : quiet(minute, mode)), { from: 0 }],
  "a first deploy that does nothing": [
    () => ({}),
    {
      from: 0,
      pages: {
        scheduler: [
          ["overdue-orders", 11, 16],
          ["refund-backlog", 11, 21],
        ],
        sweep: [
          ["overdue-orders", 11, 16],
          ["refund-backlog", 11, 21],
        ],
      },
    },
  ],
};

const NO_ORDERS = ["OrdersCompleted", "OrdersCompletedBySweep", "CompletionLag"];

/** Neither poller reaches Redis, and no order completes. */
const DOWN: Minute = {
  OverdueOrders: [],
  ConsumerLag: [],
  RefundBacklog: [],
  RefundDeadLetters: [],
  OrdersCompleted: [],
  OrdersCompletedBySweep: [],
  CompletionLag: [],
  RedisErrors: 1_000,
  [FAILED_INVOCATIONS]: 2,
};

const ALARMS = Object.fromEntries(
  MODES.map((mode) => [
    mode,
    alarmsOf(Template.parse(stackResources("orders-prod", parametersOf("prod", `completion=${mode}`)))),
  ]),
);

describe.for(MODES)("with completion: %s", (mode) => {
  const histories = Object.entries(HISTORIES).filter(([, [, { modes = MODES }]]) => modes.includes(mode));

  test.for(histories)("%s", ([, [history, { pages = [], tickets = [], from = LONG_BEFORE, to = 60 }]]) => {
    const minutes = new Map<number, Minute>();
    function remembered(minute: number): Minute {
      const known = minutes.get(minute) ?? history(minute, mode);
      minutes.set(minute, known);
      return known;
    }
    const expected = "length" in pages ? pages : pages[mode];
    for (const unknowns of UNKNOWNS) {
      const notifications = replay(ALARMS[mode] ?? [], remembered, from, to, unknowns);
      expect(pagesOf(notifications), JSON.stringify(unknowns)).toEqual(expected.map(asRange));
      const raised = notifications.filter(({ alarm, state }) => alarm.startsWith("ticket-") && state === "ALARM");
      expect(raised.map(({ alarm }) => alarm.replace("ticket-", "")).toSorted()).toEqual(tickets.toSorted());
    }
  });
});

/** Each page with its end. */
function pagesOf(notifications: readonly Notification[]) {
  const pages = notifications.filter(({ alarm }) => alarm.startsWith("page-")).toSorted((a, b) => a.minute - b.minute);
  return pages
    .filter(({ state }) => state === "ALARM")
    .map(({ alarm, minute }) => ({
      alarm: alarm.replace("page-", ""),
      minute,
      over: pages.find((other) => other.alarm === alarm && other.state === "OK" && other.minute > minute)?.minute,
    }));
}

const asRange = ([alarm, earliest, latest, over]: Page) => ({
  alarm,
  minute: expect.toSatisfy((minute: number) => minute >= earliest && minute <= latest, `${earliest} to ${latest}`),
  over: over === undefined ? undefined : expect.toSatisfy((minute?: number) => (minute ?? 1e9) <= over, `by ${over}`),
});
