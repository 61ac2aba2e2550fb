/// Pictures of finite problems: the cells of a grid world, or the number of the state.
#include "env/mdp_picture.h"
#include "mdp/grid_cells.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static void draw_box(CelCanvas *canvas, double left, double right, double bottom, double top,
                     CelColor color) {
  const double x[4] = {left, right, right, left}, y[4] = {bottom, bottom, top, top};
  cel_canvas_polygon(canvas, 4, x, y, color);
}

static CeliCell cell_at(const CelMdp *mdp, const uint8_t *cell, int64_t i) {
  const int64_t s = mdp->grid->state[i];
  return s < 0 ? CELI_CELL_WALL : (CeliCell)cell[s];
}

static void draw_star(CelCanvas *canvas, double x, double y, double radius, CelColor color) {
  static const double PI = 3.14159265358979323846;
  double px[10], py[10];
  for (int i = 0; i < 10; i++) {
    const double angle = PI / 2 + i * PI / 5, r = i % 2 ? 0.42 * radius : radius;
    px[i] = x + r * cos(angle);
    py[i] = y + r * sin(angle);
  }
  cel_canvas_polygon(canvas, 10, px, py, color);
}

/// Draws runs of neighboring cells of one kind, row by row, with a star on each goal and a hole in
/// each pit. Returns the number of shapes. With canvas NULL it only counts, and stops above `most`.
static int draw_cells(const CelMdp *mdp, const uint8_t *cell, CelCanvas *canvas, int most) {
  static const CelColor under[CELI_CELLS] = {
      [CELI_CELL_GOAL] = {0.84f, 0.95f, 0.86f, 1},
      [CELI_CELL_PIT] = {0.80f, 0.85f, 0.92f, 1},
      [CELI_CELL_FAR] = {0.66f, 0.56f, 0.47f, 1},
      [CELI_CELL_WALL] = {0.30f, 0.33f, 0.38f, 1},
  };
  static const CelColor star = {0.09f, 0.52f, 0.27f, 1}, hole = {0.20f, 0.22f, 0.27f, 1};
  const int64_t rows = mdp->grid->rows, columns = mdp->grid->columns;
  int shapes = 0;
  for (int64_t r = 0; r < rows; r++) {
    const double bottom = (double)(rows - 1 - r);
    for (int64_t c = 0, after; c < columns && shapes <= most; c = after) {
      const CeliCell kind = cell_at(mdp, cell, r * columns + c);
      const bool marked = kind == CELI_CELL_GOAL || kind == CELI_CELL_PIT;
      for (after = c + 1; after < columns && cell_at(mdp, cell, r * columns + after) == kind;)
        after++;
      if (kind == CELI_CELL_OPEN) continue;
      shapes += 1 + (marked ? (int)(after - c) : 0);
      if (!canvas) continue;
      draw_box(canvas, (double)c, (double)after, bottom, bottom + 1, under[kind]);
      for (int64_t k = c; marked && k < after; k++) {
        const double x = (double)k + 0.5, y = bottom + 0.5;
        if (kind == CELI_CELL_GOAL)
          draw_star(canvas, x, y, 0.36, star);
        else
          cel_canvas_circle(canvas, x, y, 0.30, hole);
      }
    }
  }
  return shapes;
}

static void draw_lines(const CelMdpGrid *grid, CelCanvas *canvas) {
  static const CelColor line = {0.80f, 0.82f, 0.85f, 1};
  const double rows = (double)grid->rows, columns = (double)grid->columns;
  for (int64_t i = 0; i <= grid->rows; i++) {
    const double r = (double)i;
    cel_canvas_polyline(canvas, 2, (double[]){0, columns}, (double[]){r, r}, 1, line);
  }
  for (int64_t i = 0; i <= grid->columns; i++) {
    const double c = (double)i;
    cel_canvas_polyline(canvas, 2, (double[]){c, c}, (double[]){0, rows}, 1, line);
  }
}

/// Draws the agent as a disk. The white edge makes it visible on any cell.
static void draw_agent(const CelMdpGrid *grid, double s, CelCanvas *canvas) {
  static const CelColor self = {0.83f, 0.45f, 0.27f, 1}, edge = {1, 1, 1, 1};
  for (int64_t i = 0; i < grid->rows * grid->columns; i++) {
    if ((double)grid->state[i] != s) continue;
    const int64_t row = grid->rows - 1 - i / grid->columns, column = i % grid->columns;
    const double x = (double)column + 0.5, y = (double)row + 0.5;
    cel_canvas_circle(canvas, x, y, 0.25, edge);
    cel_canvas_circle(canvas, x, y, 0.22, self);
  }
}

/// Draws a grid world. The view leaves room above it for the text with step and return.
static void draw_grid(const CelMdp *mdp, const uint8_t *cell, double s, CelCanvas *canvas) {
  static const CelColor floor_color = {0.95f, 0.95f, 0.96f, 1};
  const double rows = (double)mdp->grid->rows, columns = (double)mdp->grid->columns;
  const double side = 1.18 * fmax(rows, columns);
  cel_canvas_clear(canvas, 0.5 * (columns - side), 0.5 * (columns + side), 0.5 * (rows - side),
                   0.5 * (rows + side));
  draw_box(canvas, 0, columns, 0, rows, floor_color);
  draw_cells(mdp, cell, canvas, INT32_MAX);
  if (fmax(rows, columns) <= 40) draw_lines(mdp->grid, canvas);
  draw_agent(mdp->grid, s, canvas);
}

void celi_mdp_picture(const CelMdp *mdp, const uint8_t *cell, double s, CelCanvas *canvas) {
  static const CelColor ink = {0.25f, 0.27f, 0.31f, 1};
  enum { ROOM = CEL_SHAPES_MAX - 96 }; // shapes for cells; the rest is for lines and the agent
  if (cell && draw_cells(mdp, cell, NULL, ROOM) <= ROOM) {
    draw_grid(mdp, cell, s, canvas);
    return;
  }
  char text[64];
  snprintf(text, sizeof text, "state %.0f of %" PRId64, s, mdp->states);
  cel_canvas_clear(canvas, -1, 1, -1, 1);
  cel_canvas_text(canvas, 0, 0, text, ink);
}
