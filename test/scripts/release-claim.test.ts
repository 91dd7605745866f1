import { expect, test } from "vitest";
import * as z from "zod";
import releaseClaimLua from "../../lib/orders/release-claim.lua" with { type: "text" };
import { runCommand, script, scriptCommand } from "../../lib/redis/commands.ts";
import { dumpKeyspace } from "../support/keyspace.ts";
import { newPk } from "../support/orders.ts";
import { useStore } from "../support/store.ts";

const RELEASED = 1;
const NOT_HELD = 0;
const KEY = "idempotency:abc";
const CLAIM = `claim:${newPk()}`;

const releaseClaim = script(releaseClaimLua);
const store = useStore();

const release = () => runCommand(store.redis, scriptCommand(releaseClaim, z.unknown(), [KEY], [CLAIM]));

test("a claim that is held is released, and releasing it again changes nothing", async () => {
  await store.client.set(KEY, CLAIM);

  expect(await release()).toBe(RELEASED);
  expect(await release()).toBe(NOT_HELD);

  expect(await store.client.dbSize()).toBe(0);
});

test.for([`claim:${newPk()}`, `${newPk()}:f1`])("what another request holds stays: %s", async (held) => {
  await store.client.set(KEY, held);
  const before = await dumpKeyspace(store.client);

  expect(await release()).toBe(NOT_HELD);

  expect(await dumpKeyspace(store.client)).toEqual(before);
});

test("a key of another type stays as it is", async () => {
  await store.client.rPush(KEY, CLAIM);
  const before = await dumpKeyspace(store.client);

  await expect(release()).rejects.toMatchObject({ cause: { message: expect.stringMatching(/^WRONGTYPE/) } });

  expect(await dumpKeyspace(store.client)).toEqual(before);
});
