"""The table: order, selection, keys, menus and what each cell says."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent

from studio.theme import theme
from studio.widgets.pill import look_for
from studio.widgets.table import Cell, Column, DataTable, Row

pytestmark = [
    pytest.mark.qt_log_level_fail("WARNING"),
    pytest.mark.qt_log_ignore("propagateSizeHints"),
]

COLUMNS = (
    Column("name", "Run", 120, 1, "strong"),
    Column("state", "State", 110),
    Column("loss", "Val loss", 80, 0, "mono", right=True, tooltip="Loss on held-out text"),
)


def row(name, loss, state="finished"):
    cells = {
        "name": name,
        "state": Cell(pill=look_for(state), share=0.4),
        "loss": Cell(
            "–" if loss is None else f"{loss:.3f}", sort=float("nan") if loss is None else loss
        ),
    }
    return Row(name, cells)


@pytest.fixture
def table(qapp, qtbot):
    theme().install(qapp)
    made = DataTable(COLUMNS, name="Runs")
    qtbot.addWidget(made)
    made.resize(500, 240)
    made.set_rows([row("b", 3.7), row("A", None, "paused"), row("c", 2.9)])
    made.show()
    qtbot.waitExposed(made)
    return made


def shown(table):
    return [each.key for each in table.model.rows]


def click_header(table, qtbot, section):
    header = table.view.horizontalHeader()
    x = header.sectionViewportPosition(section) + 20
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(x, 10))


def test_rows_keep_the_order_given_until_a_heading_is_clicked(table, qtbot):
    assert shown(table) == ["b", "A", "c"]
    click_header(table, qtbot, 0)
    assert shown(table) == ["A", "b", "c"]
    click_header(table, qtbot, 0)
    assert shown(table) == ["c", "b", "A"]
    click_header(table, qtbot, 0)
    assert shown(table) == ["b", "A", "c"]


def test_figures_sort_largest_first_and_missing_ones_stay_last(table, qtbot):
    click_header(table, qtbot, 2)
    assert shown(table) == ["b", "c", "A"]
    click_header(table, qtbot, 2)
    assert shown(table) == ["c", "b", "A"]


def test_the_selection_stays_with_its_row_through_sorting_and_updates(table):
    table.select("c")
    table.sort_by("name", descending=True)
    assert table.selected_key() == "c"
    table.set_rows([row("d", 1.0), row("c", 2.8), row("b", 3.6)])
    assert table.selected_key() == "c"
    table.set_rows([row("d", 1.0)])
    assert table.selected_key() is None


def test_equal_rows_do_not_reset_the_view(table, qtbot):
    with qtbot.assertNotEmitted(table.model.modelReset):
        table.set_rows([row("b", 3.5), row("A", None, "paused"), row("c", 2.9)])
    assert table.model.cell(table.model.index(0, 2)).text == "3.500"


def test_one_row_can_be_replaced(table, qtbot):
    with qtbot.waitSignal(table.model.dataChanged):
        table.update_row(row("c", 2.5))
    table.update_row(row("nobody", 1.0))
    assert shown(table) == ["b", "A", "c"]


def test_arrows_move_and_enter_opens(table, qtbot):
    table.select("b")
    table.view.setFocus()
    qtbot.keyClick(table.view, Qt.Key.Key_Down)
    with qtbot.waitSignal(table.row_activated) as caught:
        qtbot.keyClick(table.view, Qt.Key.Key_Return)
    assert caught.args == ["A"]


def test_a_click_opens_a_row_unless_it_only_selects(table, qtbot):
    place = table.view.visualRect(table.model.index(2, 0)).center()
    with qtbot.waitSignal(table.row_activated) as caught:
        qtbot.mouseClick(table.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert caught.args == ["c"]
    table._single_click = False
    with qtbot.assertNotEmitted(table.row_activated):
        qtbot.mouseClick(table.view.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_a_link_in_a_cell_does_not_open_the_row(table, qtbot):
    linked = Row("b", {"name": "b", "loss": Cell("Build", link=True)})
    table.set_rows([linked])
    place = table.view.visualRect(table.model.index(0, 2)).center()
    with (
        qtbot.assertNotEmitted(table.row_activated),
        qtbot.waitSignal(table.link_clicked) as caught,
    ):
        qtbot.mouseClick(table.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert caught.args == ["b", "loss"]


def test_the_menu_opens_at_the_row_by_mouse_and_by_key(table, qtbot):
    asked = []
    table.menu_requested.connect(lambda key, point: asked.append(key))
    place = table.view.visualRect(table.model.index(1, 0)).center()
    for reason in (QContextMenuEvent.Reason.Mouse, QContextMenuEvent.Reason.Keyboard):
        table.view.contextMenuEvent(QContextMenuEvent(reason, place, place))
    assert asked == ["A", "A"]
    assert table.selected_key() == "A"


def test_cells_are_spoken_as_words(table):
    model = table.model
    assert model.data(model.index(0, 1)) == "Finished 40%"
    assert model.data(model.index(0, 2)) == "3.700"
    role = Qt.ItemDataRole.ToolTipRole
    assert model.headerData(2, Qt.Orientation.Horizontal, role) == "Loss on held-out text"


def test_the_columns_share_the_width(table):
    widths = [table.view.columnWidth(index) for index in range(3)]
    assert widths[1:] == [110, 80]
    assert sum(widths) == table.view.viewport().width()


def test_a_table_that_fits_its_rows_is_as_high_as_they_are(qapp, qtbot):
    theme().install(qapp)
    table = DataTable(COLUMNS, fit_rows=True)
    qtbot.addWidget(table)
    for rows in ([], [row("a", 1.0)], [row("a", 1.0), row("b", 2.0)]):
        table.set_rows(rows)
        assert table.height() == 32 + 36 * len(rows) + 2


def test_it_is_painted_in_the_colours_of_the_theme(table):
    before = theme().mode
    theme().set_mode("dark")
    table.select("c")
    dark = table.grab().toImage()
    theme().set_mode("light")
    light = table.grab().toImage()
    theme().set_mode(before)
    place = table.view.visualRect(table.model.index(2, 0))
    x, y = place.left() + 1, 33 + place.center().y()
    assert dark.pixelColor(x, y).name() == "#ff8a3d"
    assert light.pixelColor(x, y).name() == "#b04505"
