import { type Marks, sectionIn, withSection } from "../../test/support/marked-section.ts";

const MARKS: Marks = { begin: "<!-- What `npm run cost -- --write` wrote. -->", end: "<!-- End of what it wrote. -->" };

/** @throws Error when the page has no place for it */
export const withTables = (page: string, tables: string): string => withSection(page, MARKS, tables);

/** What is between the marks. */
export const tablesIn = (page: string): string => sectionIn(page, MARKS);
