// "Check All on Page" shows what it does. Without this script the server does the same from the box alone.
for (const all of document.querySelectorAll("[data-check-all]")) {
  const boxes = all.form.querySelectorAll(`input[name="${all.dataset.checkAll}"]`);
  const follow = () => { all.checked = [...boxes].every((box) => box.checked); };
  all.addEventListener("change", () => { for (const box of boxes) box.checked = all.checked; });
  for (const box of boxes) box.addEventListener("change", follow);
  follow();
}
