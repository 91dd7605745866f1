import { describe, expect, test } from "vitest";
import { z } from "zod";
import { resource } from "../support/template.ts";
import type { Rules } from "./form.ts";

const Widget = z.object({
  x: z.int().min(0),
  y: z.int().min(0),
  width: z.int().positive(),
  height: z.int().positive(),
  properties: z.object({ title: z.string().optional(), metrics: z.array(z.array(z.unknown())).default([]) }),
});
type Widget = z.infer<typeof Widget>;

const Dashboard = z.object({
  DashboardName: z.string(),
  DashboardBody: z.object({ "Fn::Sub": z.string().transform((body): unknown => JSON.parse(body)) }),
});

/** What each graph shows: the metrics by name, in the order of its lines. */
const GRAPHS = {
  Orders: ["OrdersCreated", "OrdersReplayed", "OrdersCompleted", "OrdersCompletedBySweep", "RefundsApplied"],
  "Completion lag, ms after due": ["CompletionLag p50", "CompletionLag p99"],
  "Overdue orders and failed schedules": ["OverdueOrders", "ScheduleFailures", "CompletionFailures"],
  "Announcements not read by the slowest consumer": ["ConsumerLag"],
  Refunds: ["RefundsApplied", "RefundsDeadLettered", "RefundFailures", "RefundsTrimmed", "RefundBacklog"],
  Requests: ["Count", "4xx", "ThrottledRequests", "5xx"],
  "Redis, ms a call": ["RedisLatency p50", "RedisLatency p99", "RedisErrors"],
  "Inventory, ms a question": ["InventoryLatency p50", "InventoryLatency p99", "InventoryErrors"],
  "Dead letters waiting": ["UndeliveredCompletions", "FailedInvocations", "RefundDeadLetters"],
  "Function errors": ["Errors"],
  "Function throttles": ["Throttles"],
  "Function duration p99, ms": ["Duration"],
  "Functions at once": ["ConcurrentExecutions"],
};

export const dashboard: Rules = (made, { stage }) => {
  const widgets = () => {
    const { DashboardBody } = resource(made().template, "Dashboard", Dashboard);
    return z.object({ widgets: z.array(Widget) }).parse(DashboardBody["Fn::Sub"]).widgets;
  };
  const titled = (title: string) => JSON.stringify(widgets().find(({ properties }) => properties.title === title));

  describe("the dashboard", () => {
    test("is the stage's", () => {
      expect(resource(made().template, "Dashboard", Dashboard).DashboardName).toBe(`orders-${stage}`);
    });

    test.for(Object.entries(GRAPHS))("shows %s", ([title, metrics]) => {
      const graph = titled(title);
      for (const metric of metrics) {
        const [name = "", stat = ""] = metric.split(" ");
        expect(graph).toContain(name);
        expect(graph).toContain(stat);
      }
    });

    test("shows the latency of every route", () => {
      expect(titled("Latency p99 a route, ms")).toMatch(/SEARCH\('.*ApiId=.*', 'p99', 60\)/);
    });

    test("tells its own stage's orders from other stages'", () => {
      const own = widgets().flatMap(({ properties }) =>
        properties.metrics.filter(([namespace]) => namespace === "Orders"),
      );
      expect(own.length).toBeGreaterThan(0);
      for (const [, , dimension, value] of own) expect([dimension, value]).toEqual(["service", `orders-${stage}`]);
    });

    test("has no widget over another or over the edge", () => {
      const cells = widgets().flatMap(cellsOf);
      expect(new Set(cells).size).toBe(cells.length);
      expect(Math.max(...widgets().map(({ x, width }) => x + width))).toBe(24);
    });
  });
};

function cellsOf({ x, y, width, height }: Widget): string[] {
  return Array.from({ length: width * height }, (_, cell) => `${x + (cell % width)},${y + Math.floor(cell / width)}`);
}
