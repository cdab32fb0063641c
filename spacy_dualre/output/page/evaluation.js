"use strict";
// The menus leave errors out.
const menus = [...document.querySelectorAll("select")];
const errors = [...document.querySelectorAll(".errors li")];
const fits = (item, { value, dataset: { filter } }) =>
  !value || JSON.parse(item.dataset[filter]).includes(value);

function filter() {
  for (const item of errors) item.hidden = !menus.every((menu) => fits(item, menu));
  const shown = errors.filter((item) => !item.hidden).length;
  document.querySelector(".count").textContent = shown.toLocaleString("en");
}

for (const menu of menus) menu.addEventListener("change", filter);
