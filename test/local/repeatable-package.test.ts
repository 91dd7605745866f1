import { expect, test } from "vitest";
import { type Package, startPackager } from "../support/package.ts";

/** The framework names the folder of an upload after its time, and leaves that out when it compares two deploys. */
const UPLOAD_TIME = /\b\d{13}-\d{4}-\d\d-\d\dT[\d:.]+Z/g;

test("two packagings of the same sources are the same, so that an unchanged deploy is skipped", async () => {
  await using packager = await startPackager();
  const first = filesOf(await packager.package());

  expect(filesOf(await packager.package())).toEqual(first);
  expect(Object.keys(first)).toContain("serverless-state.json");
});

function filesOf({ files }: Package): Record<string, string> {
  return Object.fromEntries([...files].map(([name, text]) => [name, text.replaceAll(UPLOAD_TIME, "")]));
}
