import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ServiceError } from "../../../lib/errors.ts";
import { parseCaller, parseOrderRequest } from "../../../lib/http/request.ts";
import { parseIdempotencyKey } from "../../../lib/orders/idempotency-key.ts";

const KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324";

function fieldsOf(body: unknown): [string, string][] {
  try {
    parseOrderRequest(body);
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== "invalid_order") throw error;
    return error.fields.map(({ path, detail }) => [path.map(String).join("/"), detail]);
  }
  throw new Error("The body was not refused");
}

describe("a refused order names every field that is wrong, and why", () => {
  test.for<[unknown, [string, string][]]>([
    [null, [["", "must be a JSON object"]]],
    [[], [["", "must be a JSON object"]]],
    ["text", [["", "must be a JSON object"]]],
    [
      {},
      [
        ["id", "must be a string"],
        ["quantity", "must be a whole number, or one in digits"],
      ],
    ],
    [{ id: "", quantity: 1 }, [["id", "must not be empty"]]],
    [{ id: "x".repeat(129), quantity: 1 }, [["id", "must have at most 128 characters"]]],
    [{ id: "a\n", quantity: 1 }, [["id", "must not contain control characters"]]],
    [{ id: "../x", quantity: 1 }, [["id", "must not contain the path segments . and .."]]],
    [{ id: "1", quantity: 0 }, [["quantity", "must be at least 1"]]],
    [{ id: "1", quantity: "1000001" }, [["quantity", "must be at most 1000000"]]],
    [{ id: "1", quantity: null }, [["quantity", "must be a whole number, or one in digits"]]],
    [
      { id: "1", quantity: 1, a: 1, b: 2 },
      [
        ["a", "is not a field of an order"],
        ["b", "is not a field of an order"],
      ],
    ],
  ])("%o", ([body, fields]) => {
    expect(fieldsOf(body)).toEqual(fields);
  });

  test("and repeats no value that the client sent", () => {
    const details = JSON.stringify(fieldsOf({ id: ["secret"], quantity: "secret", extra: "secret" }));

    expect(details).not.toContain("secret");
  });
});

describe("an Idempotency-Key", () => {
  test("may be left out", () => {
    expect(parseIdempotencyKey(undefined)).toBeUndefined();
  });

  test("is the same bare and quoted", () => {
    const bare = fc.string({ minLength: 16, maxLength: 255 }).filter((key) => /^[!#-+\--[\]-~]+$/.test(key));
    const unquotable = fc.constant(KEY);
    fc.assert(
      fc.property(fc.oneof(bare, unquotable), (key) => {
        expect(parseIdempotencyKey(key)).toBe(key);
        expect(parseIdempotencyKey(`"${key}"`)).toBe(key);
      }),
    );
  });

  test("may be any printable ASCII when it is quoted", () => {
    const printable = fc.string({ minLength: 16, maxLength: 255 });
    fc.assert(
      fc.property(printable, (key) => {
        expect(parseIdempotencyKey(`"${key.replaceAll(/["\\]/g, "\\$&")}"`)).toBe(key);
      }),
    );
  });

  test("counts 16 to 255 characters as the client meant them, without quotes and escapes", () => {
    for (const length of [16, 255]) {
      const key = "x".repeat(length);
      expect(parseIdempotencyKey(key)).toBe(key);
      expect(parseIdempotencyKey(`"${'\\"'.repeat(length)}"`)).toBe('"'.repeat(length));
    }
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
    ["two headers, one with a parameter", `"${KEY}";a=1, "${KEY}"`],
    ["a control character", `"${KEY}\t"`],
    ["signs beyond ASCII", `"${KEY}ä"`],
    ["bare signs beyond ASCII", `${KEY}ä`],
    ["a line break after it", `${KEY}\n`],
  ])("is refused: %s", ([, header]) => {
    expect(() => parseIdempotencyKey(header)).toThrow(expect.objectContaining({ code: "invalid_idempotency_key" }));
  });
});

test.for([{}, { sub: "1" }, { iss: 1 }, { iss: "https://issuer.example", sub: 1 }])(
  "a token whose claims do not name an issuer and a subject names no caller: %o",
  (claims) => {
    expect(parseCaller({ authorizer: { jwt: { claims } } })).toBeUndefined();
  },
);
