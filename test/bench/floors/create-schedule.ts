import { AwsClient } from "aws4fetch";
import { sendPipeline } from "./send-pipeline.ts";

const { AWS_ENDPOINT_URL_SCHEDULER, AWS_REGION, AWS_ACCESS_KEY_ID = "", AWS_SECRET_ACCESS_KEY = "" } = process.env;

const aws = new AwsClient({
  accessKeyId: AWS_ACCESS_KEY_ID,
  secretAccessKey: AWS_SECRET_ACCESS_KEY,
  service: "scheduler",
  retries: 0,
  ...(AWS_REGION !== undefined && { region: AWS_REGION }),
});

/** What Redis and EventBridge Scheduler themselves take: a pipeline by bare `fetch`, then a CreateSchedule by bare signed `fetch`. */
export async function handler({ pipeline, name, schedule }: { pipeline: unknown[]; name: string; schedule: unknown }) {
  await sendPipeline(pipeline);
  const url = `${AWS_ENDPOINT_URL_SCHEDULER}/schedules/${name}`;
  const response = await aws.fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(schedule),
  });
  const reply = await response.json();
  if (!response.ok) throw new Error(JSON.stringify(reply));
  return null;
}
