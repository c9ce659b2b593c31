"""What every page says first: not a medical device, synthetic images, random weights. And the page's style."""

import html

import numpy as np
import streamlit as st

from medclassify.display import png_bytes
from medclassify.review import ReviewRun

_STANDING = "Research decision support. Not a medical device: not for diagnosis or treatment."
_SYNTHETIC = "SYNTHETIC DATA: a program rendered these images; no patient exists."
_RANDOM = "RANDOM WEIGHTS: the network was not pretrained; a demonstration only."

# Colours of Okabe & Ito (2008), apart for every common colour vision deficiency; text takes the theme's own colour.
_STYLE = """
<style>
[data-testid="stMainBlockContainer"] {padding: .7rem 1.6rem 1rem; max-width: 2400px;}
[data-testid="stMainBlockContainer"] > [data-testid="stVerticalBlock"] {gap: .5rem;}
[data-testid="stMainBlockContainer"] [data-testid="stVerticalBlock"] {gap: .5rem;}
[data-testid="stMainBlockContainer"] [data-testid="stButton"] button {min-height: 2.1rem; padding: .15rem .6rem;}
[data-testid="stMainBlockContainer"] [data-testid="stTextArea"] textarea {min-height: 3.6rem;}
[data-testid="stElementContainer"]:has(script) {display: none;}
[data-testid="stHeader"] {height: 2rem; background: transparent; pointer-events: none;}
[data-testid="stHeader"] * {pointer-events: auto;}
[class*="st-key-hidden-"] {display: none;}
.mc-standing {font-size: .82rem; opacity: .75; padding-right: 4rem;}
.mc-loud {display: flex; flex-wrap: wrap; gap: .3rem .8rem;}
.mc-loud div {
  flex: 1 1 30rem; background: #b34700; color: #fff; font-weight: 600; padding: .15rem .8rem; border-radius: 4px;
  font-size: .8rem;
}
.st-key-findings {max-height: max(12rem, calc(100vh - 27rem)); overflow-y: auto; flex-wrap: nowrap;}
.st-key-findings button {min-height: 1.9rem !important; padding: .05rem .3rem !important;}
.st-key-findings button p {font-size: .86rem; white-space: normal; overflow-wrap: anywhere;}
.st-key-decisions {max-height: 16rem; overflow-y: auto; flex-wrap: nowrap;}
[data-testid="stToastContainer"] {top: .4rem; bottom: auto; left: 52%; right: auto;}
[data-testid="stElementContainer"]:has([data-testid="stIFrame"]), [data-testid="stIFrame"] {
  height: max(30rem, calc(100vh - 11rem)) !important;
}
.st-key-long-list [data-testid="stElementContainer"]:has([data-testid="stDataFrame"]),
.st-key-long-list [data-testid="stFullScreenFrame"], .st-key-long-list [data-testid="stDataFrame"],
.st-key-long-list [data-testid="stDataFrame"] > div {height: max(22rem, calc(100vh - 22rem)) !important;}
.mc-line {display: flex; justify-content: space-between; gap: 0 .3rem; font-size: .86rem; line-height: 1.3; flex-wrap: wrap;}
.mc-line > span {white-space: nowrap;}
.mc-dim {opacity: .68;}
.mc-called {color: #d55e00; font-weight: 700;}
.mc-bar {position: relative; height: .55rem; border-radius: 3px; background: rgba(128,128,128,.28); margin-top: .25rem;}
.mc-fill {position: absolute; left: 0; top: 0; bottom: 0; border-radius: 3px; background: #56b4e9;}
.mc-fill.mc-over {background: #d55e00;}
.mc-mark {position: absolute; top: -.2rem; bottom: -.2rem; width: 2px; margin-left: -1px; background: currentColor;}
.mc-said {font-size: .84rem; line-height: 1.25;}
.mc-said > span, .mc-said > b {white-space: nowrap;}
.mc-facts {font-size: .84rem; line-height: 1.7;}
.mc-facts span {
  border: 1px solid rgba(128,128,128,.45); border-radius: 3px; padding: .05rem .4rem; margin-right: .3rem; white-space: nowrap;
}
.mc-table {border-collapse: collapse; font-size: .86rem; line-height: 1.35; width: 100%;}
.mc-table td, .mc-table th {
  padding: .2rem .6rem .2rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid rgba(128,128,128,.25);
}
.mc-present {color: #d55e00;}
.mc-reader {text-align: right; font-size: .9rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;}
</style>
"""


def icon() -> bytes:
    """The tab's icon as PNG, drawn here: a named icon would be fetched from the internet."""
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    lungs = ((np.abs(x) - 0.42) / 0.3) ** 2 + (y / 0.75) ** 2 < 1
    return png_bytes(np.where(lungs[..., np.newaxis], np.uint8(245), np.array([0, 114, 178], dtype=np.uint8)))


def show_style() -> None:
    """Adds the style sheet."""
    st.html(_STYLE)


def show_standing(run_name: str) -> None:
    """Shows the notice that stands above everything, before anything else is read."""
    name = f" · run {html.escape(run_name)}" if run_name else ""
    st.html(f'<div class="mc-standing" role="note">{_STANDING}{name}</div>')


def show_warnings(run: ReviewRun) -> None:
    """Shows a loud line for each thing about the run that nobody may overlook."""
    loud = [_SYNTHETIC] * run.synthetic + [_RANDOM] * run.random_weights
    lines = "".join(f'<div role="alert">{text}</div>' for text in loud)
    if lines:
        st.html(f'<div class="mc-loud">{lines}</div>')
