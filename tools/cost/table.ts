import { table } from "../../test/support/markdown.ts";
import type { Line } from "./line.ts";
import type { Report } from "./report.ts";

/** What a run found, as Markdown tables that are readable in a terminal too. */
export function tablesOf(report: Report): string {
  const { service, orders_a_month: orders } = report;
  return [
    amounts(
      ["a call", "function", "billed, measured here", "billed, modelled", "Redis commands", "log"],
      report.calls.map((call) => [
        call.operation,
        `${call.function}, ${call.memory_mb} MB`,
        `${call.measured_ms.toFixed(1)} ms`,
        `${call.modelled_ms.toFixed(0)} ms`,
        decimal(call.redis_commands),
        `${Math.round(call.log_bytes)} B`,
      ]),
    ),
    bill("a million orders", service.per_million_orders),
    bill("a month, orders or not", service.per_month),
    amounts(
      [`${decimal(orders)} orders a month`, "a million orders", "fixed", "in all", "costs the same as this at"],
      [
        ["**this service**", ...usdOf(service), ""],
        ...report.rivals.map((rival) => [rival.name, ...usdOf(rival), sameAt(rival.break_even_orders_a_month)]),
      ],
    ),
  ].join("\n\n");
}

function bill(title: string, lines: readonly Line[]): string {
  const sum = (of: (line: Line) => number) => dollars(lines.reduce((total, line) => total + of(line), 0));
  return amounts(
    [title, "quantity", "USD", "USD at this machine's speed"],
    [
      ...lines.map((line) => [
        line.part,
        `${decimal(line.quantity)} ${line.unit}`,
        dollars(line.usd),
        dollars(line.measuredUsd),
      ]),
      ["**in all**", "", `**${sum(({ usd }) => usd)}**`, sum(({ measuredUsd }) => measuredUsd)],
    ],
  );
}

const usdOf = ({ per_million_orders_usd, per_month_usd, total_usd }: Report["service"]): string[] =>
  [per_million_orders_usd, per_month_usd, total_usd].map(dollars);

const sameAt = (orders: number | null): string =>
  orders === null ? "no number of orders" : `${decimal(Number(orders.toPrecision(2)))} orders a month`;

const dollars = (usd: number): string => `$${usd.toFixed(2)}`;

const decimal = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 2 : 0 });

/** All but the first column are amounts. */
const amounts = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  table(head, rows, { numbersFrom: 1 });
