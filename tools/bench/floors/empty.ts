/** What Lambda itself takes: a handler that does nothing. */
export async function handler() {
  return { statusCode: 204 };
}
