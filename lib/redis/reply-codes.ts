import * as z from "zod/mini";

/** The replies of the scripts in `lib/scripts`, mirrored here and nowhere else. */

export const CreateOrderCode = { created: 1, replayed: 2, reused: 3 } as const;
export const CompleteOrderCode = { completed: 1, wasCompleted: 2, wasRefunded: 3, unknown: 4 } as const;
export const SettleRefundCode = { refunded: 1, wasRefunded: 2, dead: 3, settledElsewhere: 4, trimmed: 5 } as const;
export const ReplayDeadRefundCode = { replayed: 1, gone: 2 } as const;

export type CompleteOrderCode = (typeof CompleteOrderCode)[keyof typeof CompleteOrderCode];
export type SettleRefundCode = (typeof SettleRefundCode)[keyof typeof SettleRefundCode];
export type ReplayDeadRefundCode = (typeof ReplayDeadRefundCode)[keyof typeof ReplayDeadRefundCode];

export const CreateOrderReply = z.tuple([z.enum(CreateOrderCode), z.string()]);
export const CompleteOrdersReply = z.array(z.enum(CompleteOrderCode));
export const SettleRefundsReply = z.array(z.enum(SettleRefundCode));
export const ReplayDeadRefundsReply = z.array(z.enum(ReplayDeadRefundCode));
export const ReadRefundsReply = z.tuple([
  z.string(),
  z.array(z.tuple([z.string(), z.nullable(z.string())])),
  z.int(),
  z.array(z.string()),
]);
