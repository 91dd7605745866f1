import type { Row } from "../row.ts";
import type { Settings } from "../settings.ts";
import type { MeasuredStack } from "../stack.ts";

/** Measures one group of rows on a stack that nobody else uses meanwhile. */
export type Measure = (stack: MeasuredStack, settings: Settings) => Promise<Row[]>;
