import { type LevelMetric, levelMetric, logger } from "../observability.ts";
import type { Command, Replies } from "./pipeline.ts";

/** Reports a level from a pipeline. One that cannot be read is logged: it must not hide another, nor stop the work. */
export function reportLevel(metric: LevelMetric, replies: Replies, command: Command<number>): void {
  try {
    levelMetric(metric, replies.of(command));
  } catch (error) {
    logger.error("A level could not be read", { metric, error });
  }
}
