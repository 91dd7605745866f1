import type { Package } from "../support/package.ts";

/** What a package is made for. What is left out has its default. */
export interface Form {
  readonly stage: "dev" | "prod";
  readonly access?: "jwt" | "open";
  readonly issuer?: string;
  readonly audiences?: readonly string[];
  readonly docs?: "open" | "closed";
  readonly origins?: readonly string[];
  readonly email?: string;
  readonly inventory?: string;
  readonly retentionDays?: number;
  readonly reservedConcurrency?: number;
  readonly problemTypes?: string;
}

/** Declares tests that hold for every package; it is made once they run. */
export type Rules = (made: () => Package, form: Form) => void;

/** One parameter of the command line. */
export const option = (name: string, value: string | undefined): string[] =>
  value === undefined ? [] : ["--param", `${name}=${value}`];
