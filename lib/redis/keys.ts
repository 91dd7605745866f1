/** Sorted set of the orders that are still to be completed, by due time in ms: the outbox of completions. */
export const PENDING_KEY = "orders:pending";

/** Stream of completed orders, one entry per order. */
export const COMPLETED_STREAM = "order_completed";

/** Stream on which other services ask for refunds, its consumer group, and where refused requests are kept. */
export const REFUND_STREAM = "refund_order";
export const REFUND_GROUP = "payment-group";
export const DEAD_LETTER_STREAM = "refund_order:dead";

export const orderKey = (pk: string): string => `order:${pk}`;
