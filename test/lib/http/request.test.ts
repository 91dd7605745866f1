import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCaller, parseIdempotencyKey } from "../../../lib/http/request.ts";
import { idempotencyRedisKey } from "../../../lib/orders/idempotency-key.ts";

const KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324";

describe("an Idempotency-Key", () => {
  test("may be left out", () => {
    expect(parseIdempotencyKey(undefined)).toBeUndefined();
  });

  test("is the same bare and quoted", () => {
    const bare = fc.string({ minLength: 16, maxLength: 255 }).filter((key) => /^[!#-+\--[\]-~]+$/.test(key));
    fc.assert(
      fc.property(fc.oneof(bare, fc.constant(KEY)), (key) => {
        expect(parseIdempotencyKey(key)).toBe(key);
        expect(parseIdempotencyKey(`"${key}"`)).toBe(key);
      }),
    );
  });

  test("may be any printable ASCII when it is quoted", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 16, maxLength: 255 }), (key) => {
        expect(parseIdempotencyKey(`"${key.replaceAll(/["\\]/g, "\\$&")}"`)).toBe(key);
      }),
    );
  });

  test.for([16, 255])("counts %d characters as the client meant them, without quotes and escapes", (length) => {
    expect(parseIdempotencyKey("x".repeat(length))).toBe("x".repeat(length));
    expect(parseIdempotencyKey(`"${'\\"'.repeat(length)}"`)).toBe('"'.repeat(length));
  });

  test.for([
    ";a",
    ";a=1;b=?0",
    "; a=-1.5;  *b=tok/en:x",
    ';a="b;c=\\"1\\""',
    ";a_-.*1=:aGk=:",
    ';a=@1659578233;b=%"f%c3%bc"',
  ])("may have parameters, which are ignored: %s", (parameters) => {
    expect(parseIdempotencyKey(`"${KEY}"${parameters}`)).toBe(KEY);
  });

  test("that is bare keeps its semicolons: parameters belong to the quoted form", () => {
    expect(parseIdempotencyKey(`${KEY};a=1`)).toBe(`${KEY};a=1`);
  });

  test.for([
    ["empty", ""],
    ["empty in quotes", '""'],
    ["15 characters", "x".repeat(15)],
    ["15 characters in quotes", `"${"x".repeat(15)}"`],
    ["256 characters", "x".repeat(256)],
    ["256 characters in quotes", `"${"x".repeat(256)}"`],
    ["two headers, joined", `${KEY},${KEY}`],
    ["two headers, quoted and joined", `"${KEY}","${KEY}"`],
    ["white space", `${KEY} ${KEY}`],
    ["one quote", `"${KEY}`],
    ["an escape of nothing", `"${KEY}\\"`],
    ["an escape that there is not", `"${KEY}\\n"`],
    ["a parameter without a name", `"${KEY}";`],
    ["a parameter's name in upper case", `"${KEY}";A=1`],
    ["a parameter without a value after =", `"${KEY}";a=`],
    ["a parameter whose value has white space", `"${KEY}";a=b c`],
    ["a parameter whose text is open", `"${KEY}";a="b`],
    ["white space before a parameter", `"${KEY}" ;a=1`],
    ["a control character", `"${KEY}\t"`],
    ["signs beyond ASCII", `"${KEY}ä"`],
    ["bare signs beyond ASCII", `${KEY}ä`],
    ["a line break after it", `${KEY}\n`],
  ])("is refused: %s", ([, header]) => {
    expect(() => parseIdempotencyKey(header)).toThrow(expect.objectContaining({ code: "invalid_idempotency_key" }));
  });
});

describe("the caller of a request", () => {
  const ANNA = { iss: "https://id.example.com/", sub: "anna" };

  const callerOf = (claims: object) => parseCaller({ authorizer: { jwt: { claims } } });

  test("has an Idempotency-Key of its own in Redis, which names neither", () => {
    const others = [{ ...ANNA, sub: "ben" }, { ...ANNA, iss: "https://other.example.com/" }, { iss: ANNA.iss }];
    const keys = [ANNA, ...others].map((claims) => idempotencyRedisKey(KEY, callerOf(claims)));
    keys.push(idempotencyRedisKey(KEY));

    expect(new Set(keys).size).toBe(5);
    for (const key of keys) expect(key).toMatch(/^idempotency:[0-9a-f]{64}$/);
    expect(idempotencyRedisKey(KEY, callerOf({ ...ANNA, iat: "1763877600", scope: "orders" }))).toBe(keys[0]);
  });

  test.for([{}, { sub: "1" }, { iss: 1 }, { iss: "https://issuer.example", sub: 1 }])(
    "is nobody if its token's claims do not name an issuer and a subject: %o",
    (claims) => {
      expect(callerOf(claims)).toBeUndefined();
    },
  );
});
