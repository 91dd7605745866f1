import type { Page } from "playwright-core";

/** Types into the shop's page. */
export async function fill(page: Page, product: string, quantity: string): Promise<void> {
  await page.getByLabel("Product").fill(product);
  await page.getByLabel("Quantity").fill(quantity);
}

export const orderButton = (page: Page) => page.getByRole("button", { name: "Order" });

/** Orders, and gives the pk that the page then shows. */
export async function order(page: Page, product: string, quantity: string): Promise<string> {
  await fill(page, product, quantity);
  await orderButton(page).click();
  return page.locator("code").innerText();
}
