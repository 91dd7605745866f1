/** What keeps the demo from ending well, said in one line for the person at the terminal. */
export class DemoFailure extends Error {
  override readonly name = "DemoFailure";
}
