/** What keeps a command from ending well, said in one line for the person at the terminal. */
export class Failure extends Error {
  override readonly name = "Failure";
}
