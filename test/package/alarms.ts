import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { alarmsOf, conditionOf } from "../support/alarms.ts";
import { anchorsOf } from "../support/markdown.ts";
import { ref, resource } from "../support/template.ts";
import { expectedAlarms } from "./expected-alarms.ts";
import type { Rules } from "./form.ts";

const GUIDE = new URL("../../docs/operations.md", import.meta.url);
const GUIDE_ADDRESS = "https://github.com/your-org/orders/blob/main/docs/operations.md";

const LINK = / What to do: (?<address>[^#]+)#(?<section>.+)$/;

const TopicPolicy = z.object({ PolicyDocument: z.object({ Statement: z.array(z.unknown()) }) });

export const alarms: Rules = (made, { stage, email }) => {
  const stack = `orders-${stage}`;

  describe("the alarms", () => {
    test("ring for the values and conditions that were chosen, and link to what to do", () => {
      const found = alarmsOf(made().template).map((alarm) => {
        const { AlarmName, AlarmDescription, value, inputs } = alarm;
        const section = LINK.exec(AlarmDescription)?.groups?.section;
        return [AlarmName.replace(`${stack}-`, ""), { section, value, inputs, condition: conditionOf(alarm) }];
      });
      expect(Object.fromEntries(found)).toEqual(expectedAlarms(stage));
    });

    test("link to sections that the operations guide has", async () => {
      const anchors = anchorsOf(await readFile(GUIDE, "utf8"));
      for (const { AlarmDescription } of alarmsOf(made().template)) {
        const link = LINK.exec(AlarmDescription)?.groups;
        expect(link?.address).toBe(GUIDE_ADDRESS);
        expect(anchors).toContain(link?.section);
      }
    });

    test("tell the topic when they begin and when they end", () => {
      for (const { AlarmActions, OKActions } of alarmsOf(made().template)) {
        expect({ AlarmActions, OKActions }).toEqual({ AlarmActions: [ref("Alarms")], OKActions: [ref("Alarms")] });
      }
    });

    test("watch only metrics that the functions write", () => {
      const code = [...made().files].filter(([name]) => name.endsWith(".mjs")).map(([, text]) => text);
      const names = alarmsOf(made().template).flatMap(({ value, inputs }) =>
        [value, ...Object.values(inputs)].flatMap((metric) => /^Orders (\w+) /.exec(metric)?.[1] ?? []),
      );
      const unknown = names.filter((name) => !code.some((text) => text.includes(`"${name}"`)));
      expect(names.length).toBeGreaterThan(0);
      expect(unknown).toEqual([]);
    });

    test(`reach ${email ?? "nobody"} by e-mail`, () => {
      const subscription = made().template.Resources.AlarmsEmail?.Properties;
      expect(subscription).toEqual(email && { TopicArn: ref("Alarms"), Protocol: "email", Endpoint: email });
    });

    test("are the only ones that may publish on their topic", () => {
      expect(resource(made().template, "AlarmsPolicy", TopicPolicy).PolicyDocument.Statement).toEqual([
        {
          Effect: "Allow",
          Principal: { Service: "cloudwatch.amazonaws.com" },
          Action: "sns:Publish",
          Resource: ref("Alarms"),
          Condition: {
            StringEquals: { "aws:SourceAccount": ref("AWS::AccountId") },
            ArnLike: { "aws:SourceArn": { "Fn::Sub": expect.stringMatching(`:alarm:${stack}-\\*$`) } },
          },
        },
      ]);
    });
  });
};
