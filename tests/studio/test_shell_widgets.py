"""Labels, controls and the focus ring."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.device import DeviceFacts, DeviceReading
from studio.theme import theme
from studio.widgets import figures
from studio.widgets.controls import (
    CheckBox,
    ComboBox,
    IconButton,
    LineEdit,
    PrimaryButton,
    SearchBox,
    Segmented,
    Slider,
    Toggle,
)
from studio.widgets.device_panel import DevicePanel
from studio.widgets.empty import EmptyState, ErrorCard, LoadingBlocks
from studio.widgets.field import Field
from studio.widgets.focus import FocusRing
from studio.widgets.label import Label, Part
from studio.widgets.name_popover import NamePopover
from studio.widgets.pill import PILLS, Pill, look_for
from studio.widgets.sparkline import Sparkline
from studio.widgets.tile import Tile
from studio.widgets.toast import Toasts
from trainer_core.errors import DiskFullError, KnownError

pytestmark = [
    pytest.mark.qt_log_level_fail("WARNING"),
    pytest.mark.qt_log_ignore("propagateSizeHints"),  # the offscreen platform's own
]


@pytest.fixture(autouse=True)
def look(qapp):
    theme().install(qapp)


@pytest.fixture
def shown(qtbot):
    """Put a widget on the screen and give it the keyboard."""

    def show(widget, width=400, height=120):
        qtbot.addWidget(widget)
        widget.resize(width, height)
        widget.show()
        widget.activateWindow()
        qtbot.waitExposed(widget)
        return widget

    return show


# --- labels --------------------------------------------------------------------------------------


def test_a_label_that_is_too_long_is_cut_and_keeps_the_full_text_as_tooltip(shown):
    label = shown(Label("German Wikipedia, all of it, with discussions"), 80, 20)
    assert label.is_elided()
    assert label.toolTip() == label.text()
    label.resize(600, 20)
    assert not label.is_elided()
    assert label.toolTip() == ""


def test_a_cut_label_shows_its_text_above_a_tooltip_of_its_own(shown):
    label = shown(Label("a long name that does not fit"), 40, 20)
    label.set_tooltip("Its definition")
    assert label.toolTip().splitlines() == ["a long name that does not fit", "Its definition"]


def test_a_figure_is_never_cut(shown):
    label = shown(Label("18 h 22 min", "mono", elide=False), 20, 18)
    assert not label.is_elided()
    assert label.minimumSizeHint().width() == label.sizeHint().width()


def test_wrapped_text_takes_whole_lines_of_its_role():
    label = Label("one two three four five six seven eight", "secondary", wrap=True)
    lines = label.heightForWidth(60) / 18
    assert lines == int(lines) and lines > 2
    assert label.heightForWidth(2000) == 18


def test_parts_are_read_as_one_text(shown):
    label = shown(Label("", "label", "muted"))
    label.set_parts("raw ", Part("3.692", "mono_small", "text"), ", falling")
    assert label.text() == label.accessibleName() == "raw 3.692, falling"


def test_text_outside_the_basic_plane_does_not_shift_what_follows(shown):
    label = shown(Label(""), 300, 20)
    label.set_parts("🔥 ", Part("3.7", "mono"))
    ranges = label._formats(label._parts)
    assert [(each.start, each.length) for each in ranges] == [(0, 3), (3, 3)]


# --- controls ------------------------------------------------------------------------------------


def test_enter_and_space_press_a_button(shown, qtbot):
    button = shown(PrimaryButton("Start", "play"))
    pressed = []
    button.clicked.connect(lambda: pressed.append(1))
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Space):
        qtbot.keyClick(button, key)
    assert len(pressed) == 2


def test_a_disabled_button_cannot_be_pressed(shown, qtbot):
    button = shown(PrimaryButton("Start"))
    button.setEnabled(False)
    with qtbot.assertNotEmitted(button.clicked):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_arrows_move_a_segmented_choice_and_stop_at_its_ends(shown, qtbot):
    choice = shown(Segmented([("a", "Steps"), ("b", "Tokens"), ("c", "Time")]))
    taken = []
    choice.chosen.connect(taken.append)
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right):
        qtbot.keyClick(choice, key)
    assert taken == ["b", "c"]
    assert choice.current == "c"


def test_a_click_takes_the_segment_under_the_pointer(shown, qtbot):
    choice = shown(Segmented([("a", "Steps"), ("b", "Tokens")]))
    choice.resize(choice.sizeHint())
    with qtbot.waitSignal(choice.chosen) as caught:
        qtbot.mouseClick(choice, Qt.MouseButton.LeftButton, pos=QPoint(choice.width() - 5, 10))
    assert caught.args == ["b"]


def test_setting_a_choice_from_outside_is_silent(qtbot):
    choice = Segmented([("a", "A"), ("b", "B")])
    qtbot.addWidget(choice)
    with qtbot.assertNotEmitted(choice.chosen):
        choice.set_current("b")
    choice.set_current("unknown")
    assert choice.current == "b"


@pytest.mark.parametrize("control", [lambda: Toggle("On"), lambda: CheckBox("Log y")])
def test_enter_switches(shown, qtbot, control):
    switch = shown(control())
    qtbot.keyClick(switch, Qt.Key.Key_Return)
    assert switch.isChecked()


def test_slider_steps_by_arrows_jumps_by_page_keys_and_follows_the_pointer(shown, qtbot):
    slider = shown(Slider("Temperature"), 214, 18)
    slider.setRange(0, 100)
    slider.setPageStep(10)
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert slider.value() == 1
    qtbot.keyClick(slider, Qt.Key.Key_PageUp)
    assert slider.value() == 11
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(107, 9))
    assert slider.value() == 50


def test_controls_have_names_for_screen_readers():
    assert IconButton("x", "Close").accessibleName() == "Close"
    assert LineEdit("", "Run name").accessibleName() == "Run name"
    assert Toggle("Use index").accessibleName() == "Use index"
    assert ComboBox("Prompt").accessibleName() == "Prompt"
    assert Pill("paused").accessibleName() == "Paused"
    assert Field("Lines", LineEdit("", "all")).control.accessibleName() == "Lines"


def test_escape_empties_a_search_field_first(shown, qtbot):
    box = shown(SearchBox("Search data", "Ctrl K"))
    qtbot.keyClicks(box, "bees")
    qtbot.keyClick(box, Qt.Key.Key_Escape)
    assert box.text() == ""


def test_every_state_of_a_run_has_a_word_and_an_icon_of_its_own():
    words = [look.word for look in PILLS.values()]
    assert len(set(words)) == len(words)
    assert all(look.icon for name, look in PILLS.items() if name != "not_built")
    assert look_for("never_seen_before").word == "Never seen before"


def test_a_tile_without_a_value_says_why(shown):
    tile = shown(Tile("Index hit rate"))
    tile.set_value(figures.MISSING, "", "trained without an index")
    assert "trained without an index" in tile.accessibleName()
    assert tile.height() == 84


def test_a_sparkline_takes_any_values(shown):
    line = shown(Sparkline())
    for values in ((), (3.0,), (3.0, 3.0), (float("nan"), 2.0, float("inf"), 1.0)):
        line.set_series(values, 0.4, "s1")
        assert not line.grab().isNull()


# --- focus ---------------------------------------------------------------------------------------


@pytest.fixture
def two_buttons(shown):
    window = QWidget()
    row = QHBoxLayout(window)
    first, second = PrimaryButton("One"), PrimaryButton("Two")
    row.addWidget(first)
    row.addWidget(second)
    return shown(window), first, second


def test_the_ring_follows_the_keyboard_and_only_the_keyboard(two_buttons, qtbot):
    window, first, second = two_buttons
    first.setFocus(Qt.FocusReason.MouseFocusReason)
    ring = FocusRing.of(window)
    assert ring.isHidden()
    qtbot.keyClick(first, Qt.Key.Key_Tab)
    assert ring.target is second and ring.isVisible()
    inner = ring.geometry().adjusted(3, 3, -3, -3)
    assert inner == second.geometry()


def test_the_ring_moves_with_its_widget_and_vanishes_with_it(two_buttons, qtbot):
    window, first, second = two_buttons
    second.setFocus(Qt.FocusReason.TabFocusReason)
    ring = FocusRing.of(window)
    before = ring.geometry()
    window.resize(window.width() + 100, window.height() + 40)
    qtbot.waitUntil(lambda: ring.geometry() != before)
    second.hide()
    assert ring.target is not second
    first.hide()
    assert ring.isHidden()


# --- states --------------------------------------------------------------------------------------


def test_an_error_card_says_what_happened_what_is_safe_and_what_to_do(shown):
    error = DiskFullError("The disk is full.", safe="Nothing is lost.", do="Free some space.")
    card = shown(ErrorCard(error))
    assert card.accessibleName() == "The disk is full. Nothing is lost. Free some space."


def test_the_details_of_a_bug_are_folded(shown, qtbot):
    card = shown(ErrorCard(ValueError("x"), "Traceback: deep inside"), 500, 300)
    assert card._details.isHidden()
    card._fold.click()
    assert not card._details.isHidden()
    assert "deep inside" in card._details.toPlainText()
    assert "ValueError" in card.accessibleName()


def test_an_empty_state_has_one_sentence_and_one_button(shown, qtbot):
    empty = shown(EmptyState("No runs yet.", "New run"), 400, 200)
    button = empty.findChild(PrimaryButton)
    with qtbot.waitSignal(empty.clicked):
        button.click()


def test_loading_blocks_wait_before_they_appear(shown, qtbot):
    blocks = shown(LoadingBlocks(rows=2))
    assert not blocks._shown
    qtbot.waitUntil(lambda: blocks._shown, timeout=2000)


def test_toasts_wait_to_be_read_and_are_not_repeated(shown, qtbot):
    area = shown(QWidget(), 800, 600)
    toasts = Toasts(area)
    for number in range(5):
        toasts.add(KnownError(f"error {number}"))
    toasts.add(KnownError("error 4"))
    assert [card.what.text() for card in toasts.cards] == ["error 2", "error 3", "error 4"]
    assert area.rect().contains(toasts.geometry())
    for card in toasts.cards:
        card.dismissed.emit()
    assert toasts.isHidden()


def test_a_name_is_kept_by_enter_and_dropped_by_escape(shown, qtbot):
    window = shown(QWidget(), 600, 400)
    kept = []
    first = NamePopover(window, "Rename", "old", kept.append)
    first.open_at(window.mapToGlobal(QPoint(590, 390)))
    assert window.rect().contains(first.geometry())
    first.field.setText("new")
    qtbot.keyClick(first.field, Qt.Key.Key_Return)
    second = NamePopover(window, "Rename", "old", kept.append)
    second.open_at(window.mapToGlobal(QPoint(0, 0)))
    second.field.setText("other")
    qtbot.keyClick(second.field, Qt.Key.Key_Escape)
    assert kept == ["new"]


def test_what_had_the_keyboard_has_it_again_after_a_popover(two_buttons, qtbot):
    window, _first, second = two_buttons
    second.setFocus()
    popover = NamePopover(window, "Rename", "old", lambda name: None)
    popover.open_at(window.mapToGlobal(QPoint(0, 0)))
    assert window.focusWidget() is popover.field
    qtbot.keyClick(popover.field, Qt.Key.Key_Return)
    assert window.focusWidget() is second


# --- figures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (19_934, "19.9k"),
        (999_949, "1M"),
        (852e6, "852M"),
        (1.32e9, "1.32B"),
        (3.28e9, "3.28B"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_counts_have_three_digits_and_a_letter(value, text):
    assert figures.count(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (12, "12 s"),
        (100, "1 min 40 s"),
        (420, "7 min"),
        (66_120, "18 h 22 min"),
        (164_760, "45 h 46 min"),
        (None, "–"),
    ],
)
def test_durations_are_hours_and_minutes(seconds, text):
    assert figures.duration(seconds).replace(figures.NARROW, " ") == text


def test_a_share_says_a_hundred_only_when_it_is():
    plain = [figures.percent(share).replace(figures.NARROW, " ") for share in (0.401, 0.9999, 1.0)]
    assert plain == ["40.1 %", "99.9 %", "100 %"]


# --- device panel --------------------------------------------------------------------------------

WITH_GPU = DeviceReading(
    facts=DeviceFacts("Ryzen 9", 16, 64.0, gpu="RTX 3090", vram_gib=24.0, driver="580.65"),
    cpu_pct=14.0,
    ram_used_gib=26.1,
    vram_used_gib=21.3,
    gpu_pct=99.0,
    gpu_temp_c=72.0,
)
WITHOUT_GPU = DeviceReading(
    facts=DeviceFacts("Ryzen 9", 16, 64.0, no_gpu="No NVIDIA GPU"), cpu_pct=14.0, ram_used_gib=26.1
)


def words(panel):
    return [label.text() for label in panel.findChildren(Label) if label.isVisible()]


def test_the_panel_shows_a_gpu_with_its_memory_and_temperature(shown):
    panel = shown(DevicePanel(), 200, 160)
    panel.show_reading(WITH_GPU)
    said = [text.replace(figures.NARROW, " ") for text in words(panel)]
    assert said == [
        "RTX 3090", "72 °C", "VRAM", "21.3 / 24.0 GiB", "CPU", "14 %", "RAM", "26.1 / 64 GiB"
    ]  # fmt: skip
    assert "580.65" in panel.toolTip()


def test_without_a_gpu_the_panel_says_so_and_shows_the_processor(shown):
    panel = shown(DevicePanel(), 200, 160)
    panel.show_reading(WITHOUT_GPU)
    said = words(panel)
    assert said[:2] == ["Ryzen 9", "No NVIDIA GPU"]
    assert "VRAM" not in said


def test_the_narrow_panel_keeps_its_figures_in_the_tooltip(shown):
    panel = shown(DevicePanel(), 56, 160)
    panel.set_collapsed(True)
    panel.show_reading(WITH_GPU)
    assert words(panel) == []
    assert "26.1 / 64" in panel.toolTip().replace(figures.NARROW, " ")
