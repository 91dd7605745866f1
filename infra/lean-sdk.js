/**
 * What the AWS SDK loads only when credentials are not in the environment (files, SSO, web identity, instance metadata),
 * and its event streams. Lambda puts a function's credentials into its environment, and CreateSchedule streams nothing.
 */
const ON_DEMAND =
  /^(@aws-sdk\/credential-provider-(http|ini|login|process|sso|web-identity)|@smithy\/credential-provider-imds|@smithy\/core\/event-streams)$/;

/** Leaves those parts out of a bundle: a quarter of `createOrder`, read and parsed at each cold start. */
export const leanSdk = {
  name: "lean-sdk",
  setup(build) {
    build.onResolve({ filter: ON_DEMAND }, ({ path, kind }) =>
      kind === "dynamic-import" ? { path, namespace: "left-out" } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "left-out" }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${path} is not in this bundle: credentials come from the environment`)});`,
    }));
  },
};
