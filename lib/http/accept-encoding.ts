/** The codings that the build makes of a file, the smallest first. */
const CODINGS = ["br", "gzip"] as const;
export type Coding = (typeof CODINGS)[number];

/**
 * The best coding that a client takes (RFC 9110 section 12.5.3); undefined is the content as it is, which every client
 * takes. A weight only tells whether it takes a coding at all: which one is sent is for the server to choose.
 */
export function acceptedCoding(header: string | undefined): Coding | undefined {
  const accepted = new Set((header ?? "").split(",").flatMap(acceptedName));
  return CODINGS.find((coding) => accepted.has(coding));
}

function acceptedName(member: string): string[] {
  const [name = "", ...parameters] = member.split(";").map((part) => part.trim().toLowerCase());
  return parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)) ? [] : [name];
}
