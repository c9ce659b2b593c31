"""What the page needs of a script: the keyboard handed back to its shortcuts, and the chosen finding kept in sight."""

import streamlit as st

# Streamlit offers no such setting (1.67): its shortcuts are held back by every <input>, whatever its type. A reader who has
# clicked a switch, let go of a slider, picked from a list or ended a line with Enter is typing no more, so the focus goes.
# The timer runs after Streamlit's own handlers; without text in the field there is nothing that leaving it could lose.
_SCRIPT = """
<script>
if (!window.mcKeys) {
  window.mcKeys = true;
  const focused = () => {
    let place = document.activeElement; // the viewer stands behind a shadow root
    while (place?.shadowRoot?.activeElement) place = place.shadowRoot.activeElement;
    return place;
  };
  const leave = (kinds) => setTimeout(() => {
    if (focused()?.matches(kinds)) focused().blur();
  });
  const switches = "input[type=checkbox], input[type=radio], input[type=range], [role=slider]";
  for (const kind of ["pointerup", "click"]) document.addEventListener(kind, (event) =>
    leave(event.target.closest?.("[role=option]") ? "input" : switches), true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) leave(event.ctrlKey || event.metaKey ? "input, textarea" : "input");
  }, true);
  let chosen = "";
  const follow = () => {
    const list = document.querySelector(".st-key-findings");
    const button = list?.querySelector("[data-testid=stBaseButton-primary]");
    if (!button || button.textContent === chosen) return;
    const [row, frame, before] = [button.getBoundingClientRect(), list.getBoundingClientRect(), list.scrollTop];
    const spare = row.height; // what stands about a name belongs to it
    if (row.top < frame.top + spare) list.scrollTop -= frame.top + spare - row.top;
    else if (row.bottom > frame.bottom - spare) list.scrollTop += row.bottom - frame.bottom + spare;
    if (list.scrollTop !== before) requestAnimationFrame(follow);
    else if (row.bottom <= frame.bottom) chosen = button.textContent; // else the rows below it are still to come
  };
  new MutationObserver(follow).observe(document.body, {
    childList: true, subtree: true, attributes: true, attributeFilter: ["data-testid"],
  });
}
</script>
"""


def show_keys() -> None:
    """Adds the script, once a page; it draws nothing."""
    st.html(_SCRIPT, unsafe_allow_javascript=True)
