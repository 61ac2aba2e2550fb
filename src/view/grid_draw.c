/// Drawing grid worlds as PNG or SVG: cells colored by value, arrows for the policy.
///
/// Lengths are in design units. Small grids have cells of up to 96 units. Each cell has its value
/// as a number, and an arrow per action whose length is the action's probability. Large grids are
/// an image with one pixel per cell, under a field of arrows that show the mean direction of a
/// block of cells.
#include "view/grid.h"
#include "view/plot.h"
#include "view/render_cairo.h"

#ifdef CELSIUS_WITH_CAIRO
#include <math.h>
#include <string.h>

static const CeliColor ink = {0.13, 0.14, 0.16}, gray = {0.40, 0.42, 0.45};
static const CeliColor wall = {0.60, 0.61, 0.63}, far = {0.915, 0.92, 0.93};
static const CeliColor goal = {0.84, 0.95, 0.86}, star = {0.09, 0.52, 0.27};
static const CeliColor pit = {0.90, 0.905, 0.92}, hole = {0.20, 0.22, 0.27};
static const CeliColor start_ring = {0.87, 0.27, 0.12};

static const double PI = 3.14159265358979323846;
static const double TITLE = 17, SMALL = 11;                  // font sizes
static const double MARGIN = 24, LARGEST = 96;               // largest side of a cell
static const double NARROWEST = 540;                         // narrowest page
static const double BAR_GAP = 22, BAR = 15, BAR_LEAST = 120; // color bar; least length
static const double ONE_BY_ONE = 26,
                    SPACING = 21; // smallest cell with its own arrows; distance of mean arrows
static const int64_t RECTANGLES_MAX = 10000; // above this, one image for all cells

/// Positions and sizes in design units.
typedef struct Layout {
  double cell;                     ///< side of a cell
  double left, top, width, height; ///< the grid
  double bar, bar_top, bar_height; ///< the color bar
  double bar_text;                 ///< width of its numbers
  double page_width, page_height;
  CeliTicks ticks;
} Layout;

static void set_color(cairo_t *cr, CeliColor c, double alpha) {
  cairo_set_source_rgba(cr, c.r, c.g, c.b, alpha);
}

// ---- layout

/// The range of the color bar. If all values are equal, a small range around them.
static void bar_range(const CeliScene *scene, double *low, double *high) {
  const double size = fmax(fabs(scene->low), fabs(scene->high));
  *low = scene->low;
  *high = scene->high;
  if (*high - *low > 1e-12 * size) return;
  const double room = size > 0 ? 0.5 * size : 1;
  *low -= room;
  *high += room;
}

static Layout lay_out(const CeliScene *scene) {
  const CelMdpGrid *grid = scene->mdp->grid;
  const double most = (double)(grid->rows > grid->columns ? grid->rows : grid->columns);
  double low, high;
  Layout l = {.cell = fmin(LARGEST, fmax(760, 30 * sqrt(most)) / most)};
  size_t widest = 0;
  bar_range(scene, &low, &high);
  l.left = MARGIN;
  l.width = l.cell * (double)grid->columns;
  l.height = l.cell * (double)grid->rows;
  l.bar_height = fmax(l.height, BAR_LEAST);
  const int ticks = (int)(l.bar_height / 45);
  celi_ticks_linear(&l.ticks, low, high, ticks < 4 ? 4 : ticks > 10 ? 10 : ticks);
  for (int i = 0; i < l.ticks.n; i++)
    widest = strlen(l.ticks.text[i]) > widest ? strlen(l.ticks.text[i]) : widest;
  l.bar_text = 8 + 7 * (double)widest;
  l.bar_top = MARGIN + TITLE + (scene->subtitle ? 20 : 6) + 22;
  l.page_width = fmax(l.left + l.width + BAR_GAP + BAR + l.bar_text + MARGIN, NARROWEST);
  // Centers a small grid on its page.
  l.top = l.bar_top + (l.bar_height - l.height) / 2;
  l.left += (l.page_width - (l.left + l.width + BAR_GAP + BAR + l.bar_text + MARGIN)) / 2;
  l.bar = l.left + l.width + BAR_GAP;
  l.page_height = l.bar_top + l.bar_height + 34 + MARGIN;
  return l;
}

void celi_scene_size(const CeliScene *scene, bool svg, int *width, int *height) {
  const Layout l = lay_out(scene);
  const double natural = svg ? 1 : 1.6;
  double scale = scene->options->width > 0 ? (double)scene->options->width / l.page_width : natural;
  if (l.page_height * scale > 16000)
    scale = 16000 / l.page_height; // larger pictures are too large for many viewers
  *width = (int)lround(l.page_width * scale);
  *height = (int)lround(l.page_height * scale);
}

// ---- shapes

static void star_path(cairo_t *cr, double x, double y, double radius) {
  cairo_new_path(cr);
  for (int i = 0; i < 10; i++) {
    const double angle = -PI / 2 + i * PI / 5, r = i % 2 ? 0.42 * radius : radius;
    cairo_line_to(cr, x + r * cos(angle), y + r * sin(angle));
  }
  cairo_close_path(cr);
}

static void rounded_path(cairo_t *cr, double x, double y, double size, double radius) {
  cairo_new_path(cr);
  cairo_arc(cr, x + size - radius, y + radius, radius, -PI / 2, 0);
  cairo_arc(cr, x + size - radius, y + size - radius, radius, 0, PI / 2);
  cairo_arc(cr, x + radius, y + size - radius, radius, PI / 2, PI);
  cairo_arc(cr, x + radius, y + radius, radius, PI, 3 * PI / 2);
  cairo_close_path(cr);
}

/// Adds an arrow from (x, y) to (x + dx, y + dy). Shaft and head are one shape, so that a
/// transparent arrow has a uniform color.
static void arrow_path(cairo_t *cr, double x, double y, double dx, double dy, double width) {
  const double length = hypot(dx, dy), ux = dx / length, uy = dy / length;
  const double head = fmin(3.4 * width, 0.72 * length), half = 0.62 * head, w = width / 2;
  const double along[] = {0, length - head, length - head, length, length - head, length - head, 0};
  const double across[] = {-w, -w, -half, 0, half, w, w};
  cairo_new_path(cr);
  for (int i = 0; i < 7; i++)
    cairo_line_to(cr, x + along[i] * ux - across[i] * uy, y + along[i] * uy + across[i] * ux);
  cairo_close_path(cr);
}

static void hatch(cairo_t *cr, double x, double y, double size) {
  cairo_save(cr);
  cairo_rectangle(cr, x, y, size, size);
  cairo_clip(cr);
  cairo_set_line_width(cr, fmin(1, size / 12));
  set_color(cr, gray, 0.35);
  const double step = fmax(size / 6, 1.5);
  const int lines = (int)(2 * size / step);
  for (int i = 0; i < lines; i++) {
    const double at = -size + step / 2 + i * step;
    cairo_move_to(cr, x + at, y + size);
    cairo_line_to(cr, x + at + size, y);
  }
  cairo_stroke(cr);
  cairo_restore(cr);
}

// ---- cells

static CeliColor cell_color(const CeliScene *scene, int64_t row, int64_t column) {
  switch (celi_scene_kind(scene, row, column)) {
  case CELI_CELL_OPEN:
    return celi_colormap(celi_scene_share(scene, celi_scene_state(scene, row, column)));
  case CELI_CELL_GOAL: return goal;
  case CELI_CELL_PIT: return pit;
  case CELI_CELL_FAR: return far;
  case CELI_CELL_WALL:
  case CELI_CELLS: break;
  }
  return wall;
}

static uint32_t pixel(CeliColor c) {
  return (uint32_t)lround(255 * c.r) << 16 | (uint32_t)lround(255 * c.g) << 8 |
         (uint32_t)lround(255 * c.b);
}

/// Draws all cells as one image, with one pixel each.
static void draw_image(cairo_t *cr, const CeliScene *scene, const Layout *l) {
  const CelMdpGrid *grid = scene->mdp->grid;
  cairo_surface_t *image =
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)grid->columns, (int)grid->rows);
  unsigned char *data = cairo_image_surface_get_data(image);
  const int stride = cairo_image_surface_get_stride(image);
  for (int64_t row = 0; data && row < grid->rows; row++) {
    uint32_t *line = (uint32_t *)(void *)(data + row * stride);
    for (int64_t column = 0; column < grid->columns; column++)
      line[column] = pixel(cell_color(scene, row, column));
  }
  cairo_surface_mark_dirty(image);
  cairo_save(cr);
  cairo_translate(cr, l->left, l->top);
  cairo_scale(cr, l->cell, l->cell);
  cairo_set_source_surface(cr, image, 0, 0);
  cairo_pattern_set_filter(cairo_get_source(cr),
                           l->cell >= 1 ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_GOOD);
  cairo_rectangle(cr, 0, 0, (double)grid->columns, (double)grid->rows);
  cairo_fill(cr);
  cairo_restore(cr);
  cairo_surface_destroy(image);
}

static void draw_rectangles(cairo_t *cr, const CeliScene *scene, const Layout *l) {
  const CelMdpGrid *grid = scene->mdp->grid;
  const double gap = l->cell > 24 ? 1 : l->cell > 10 ? 0.5 : 0; // white line between cells
  cairo_set_antialias(cr, gap > 0 ? CAIRO_ANTIALIAS_DEFAULT : CAIRO_ANTIALIAS_NONE);
  for (int64_t row = 0; row < grid->rows; row++) {
    for (int64_t column = 0; column < grid->columns; column++) {
      const double x = l->left + l->cell * (double)column, y = l->top + l->cell * (double)row;
      set_color(cr, cell_color(scene, row, column), 1);
      cairo_rectangle(cr, x, y, l->cell - gap, l->cell - gap);
      cairo_fill(cr);
      if (celi_scene_kind(scene, row, column) == CELI_CELL_FAR && l->cell >= 8)
        hatch(cr, x, y, l->cell - gap);
    }
  }
  cairo_set_antialias(cr, CAIRO_ANTIALIAS_DEFAULT);
}

/// Draws stars, holes and starts. If there are few, draws them even if cells are too small for
/// them.
static void draw_marks(cairo_t *cr, const CeliScene *scene, const Layout *l) {
  const CelMdpGrid *grid = scene->mdp->grid;
  const double radius = fmax(0.3 * l->cell, l->cell < 8 ? 6 : 0);
  for (int64_t row = 0; row < grid->rows; row++) {
    for (int64_t column = 0; column < grid->columns; column++) {
      const CeliCell kind = celi_scene_kind(scene, row, column);
      const int64_t s = celi_scene_state(scene, row, column);
      const double x = l->left + l->cell * ((double)column + 0.5) - (l->cell > 24 ? 0.5 : 0);
      const double y = l->top + l->cell * ((double)row + 0.5) - (l->cell > 24 ? 0.5 : 0);
      if (kind == CELI_CELL_GOAL && (l->cell >= 8 || scene->n[kind] <= 16)) {
        star_path(cr, x, y, radius);
        set_color(cr, star, 1);
        if (l->cell < 8) { // the mark covers other cells
          cairo_fill_preserve(cr);
          cairo_set_source_rgb(cr, 1, 1, 1);
          cairo_set_line_width(cr, 1);
          cairo_stroke(cr);
        } else {
          cairo_fill(cr);
        }
      } else if (kind == CELI_CELL_PIT && l->cell >= 4) {
        cairo_new_path(cr);
        cairo_arc(cr, x, y, 0.27 * l->cell, 0, 2 * PI);
        set_color(cr, hole, 1);
        cairo_fill(cr);
      }
      if (s >= 0 && scene->mdp->start[s] > 0 && scene->starts <= 4) {
        const double size = fmax(0.95 * l->cell - 1, 9);
        rounded_path(cr, x - size / 2, y - size / 2, size, 0.14 * size);
        set_color(cr, start_ring, 1);
        cairo_set_line_width(cr, fmax(1.4, fmin(2.6, 0.04 * l->cell)));
        cairo_stroke(cr);
      }
    }
  }
}

// ---- the policy

static void set_arrow_color(cairo_t *cr, CeliColor under) {
  if (celi_color_light(under))
    set_color(cr, (CeliColor){0.09, 0.12, 0.20}, 0.88);
  else
    set_color(cr, (CeliColor){1, 1, 1}, 0.94);
}

/// Draws an arrow per action with the length of its probability, and a dot for staying. Arrows
/// start near the center of the cell. The arrow of a nearly certain action starts behind it, so
/// that it is centered.
static void draw_actions(cairo_t *cr, const CeliScene *scene, int64_t s, double x, double y,
                         double cell) {
  const CelMdp *mdp = scene->mdp;
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
    const int64_t a = cel_mdp_action(mdp, s, p);
    const double pi = scene->pi[p], certain = pow(fmax(0, 2 * pi - 1), 4);
    if (a >= mdp->grid->actions || !(pi >= 0.01)) continue;
    const double dy = mdp->grid->direction[2 * a], dx = mdp->grid->direction[2 * a + 1];
    const double norm = hypot(dx, dy), from = (0.07 - 0.40 * certain) * cell;
    const double reach = (0.07 + 0.28 * pow(pi, 0.7)) * cell - from;
    if (norm > 0) {
      arrow_path(cr, x + from * dx / norm, y + from * dy / norm, reach * dx / norm,
                 reach * dy / norm, fmax(0.06 * cell * pow(pi, 0.4), 0.7));
    } else {
      cairo_new_path(cr);
      cairo_arc(cr, x, y, 0.13 * cell * sqrt(pi), 0, 2 * PI);
    }
    cairo_fill(cr);
  }
}

static void draw_policy(cairo_t *cr, const CeliScene *scene, const Layout *l) {
  const CelMdpGrid *grid = scene->mdp->grid;
  const bool numbers = scene->options->numbers && l->cell >= 60;
  const int decimals = numbers ? celi_scene_decimals(scene) : 0;
  celi_cairo_font(cr, fmin(0.125 * l->cell, SMALL), false);
  for (int64_t row = 0; row < grid->rows; row++) {
    for (int64_t column = 0; column < grid->columns; column++) {
      if (celi_scene_kind(scene, row, column) != CELI_CELL_OPEN) continue;
      const int64_t s = celi_scene_state(scene, row, column);
      const double x = l->left + l->cell * ((double)column + 0.5) - 0.5;
      const double y = l->top + l->cell * ((double)row + 0.5) - 0.5;
      // Numbers are in a strip at the bottom, arrows above it.
      const double strip = numbers ? 0.16 * l->cell : 0;
      set_arrow_color(cr, cell_color(scene, row, column));
      if (scene->options->arrows)
        draw_actions(cr, scene, s, x, y - strip / 2, l->cell - 1.2 * strip);
      if (!numbers) continue;
      char text[32];
      celi_scene_number(scene->V[s], decimals, text, sizeof text);
      celi_cairo_text(cr, x + 0.38 * l->cell, y + 0.41 * l->cell, 1, text);
    }
  }
}

/// The mean drift of the open cells of a block. Returns false if at most half of its cells are
/// open.
static bool mean_drift(const CeliScene *scene, int64_t row, int64_t column, int64_t rows,
                       int64_t columns, double *x, double *y, CeliColor *under) {
  int64_t open = 0, all = 0;
  double share = 0;
  *x = *y = 0;
  for (int64_t r = row; r < row + rows; r++) {
    for (int64_t c = column; c < column + columns; c++) {
      double dx, dy;
      all++;
      if (celi_scene_kind(scene, r, c) != CELI_CELL_OPEN) continue;
      const int64_t s = celi_scene_state(scene, r, c);
      celi_scene_drift(scene, s, &dx, &dy);
      *x += dx;
      *y += dy;
      open++;
      share += celi_scene_share(scene, s);
    }
  }
  if (2 * open <= all) return false;
  *x /= (double)open;
  *y /= (double)open;
  *under = celi_colormap(share / (double)open);
  return true;
}

/// Draws a field of arrows, one per block of cells. A block that the edge cuts to less than half
/// has no arrow, unless the grid itself is narrower.
static void draw_field(cairo_t *cr, const CeliScene *scene, const Layout *l) {
  const CelMdpGrid *grid = scene->mdp->grid;
  const int64_t size = (int64_t)ceil(SPACING / l->cell - 1e-9);
  for (int64_t row = 0; row < grid->rows; row += size) {
    for (int64_t column = 0; column < grid->columns; column += size) {
      const int64_t rows = grid->rows - row < size ? grid->rows - row : size;
      const int64_t columns = grid->columns - column < size ? grid->columns - column : size;
      const double side = l->cell * (double)(rows < columns ? rows : columns);
      double dx, dy;
      CeliColor under;
      if ((2 * rows < size && row > 0) || (2 * columns < size && column > 0)) continue;
      if (!mean_drift(scene, row, column, rows, columns, &dx, &dy, &under)) continue;
      const double norm = hypot(dx, dy);
      if (norm < (size > 3 ? 0.2 : 0.02)) continue; // the directions of the cells cancel out
      const double length = 0.78 * side * sqrt(fmin(norm, 1));
      const double x = l->left + l->cell * ((double)column + 0.5 * (double)columns);
      const double y = l->top + l->cell * ((double)row + 0.5 * (double)rows);
      dx *= length / norm;
      dy *= length / norm;
      set_arrow_color(cr, under);
      arrow_path(cr, x - dx / 2, y - dy / 2, dx, dy, 0.085 * side);
      cairo_fill(cr);
    }
  }
}

// ---- around the grid

static void draw_bar(cairo_t *cr, const CeliScene *scene, const Layout *l) {
  const double top = l->bar_top, height = l->bar_height;
  double low, high;
  bar_range(scene, &low, &high);
  cairo_pattern_t *ramp = cairo_pattern_create_linear(0, top + height, 0, top);
  for (int i = 0; i <= 64; i++) {
    const CeliColor c = celi_colormap(i / 64.0);
    cairo_pattern_add_color_stop_rgb(ramp, i / 64.0, c.r, c.g, c.b);
  }
  cairo_rectangle(cr, l->bar, top, BAR, height);
  cairo_set_source(cr, ramp);
  cairo_fill(cr);
  cairo_pattern_destroy(ramp);
  celi_cairo_font(cr, SMALL, false);
  set_color(cr, gray, 1);
  cairo_set_line_width(cr, 1);
  for (int i = 0; i < l->ticks.n; i++) {
    const double y = top + height * (1 - (l->ticks.at[i] - low) / (high - low));
    cairo_move_to(cr, l->bar + BAR, y);
    cairo_line_to(cr, l->bar + BAR + 4, y);
    cairo_stroke(cr);
    celi_cairo_text(cr, l->bar + BAR + 8, y + 0.36 * SMALL, 0, l->ticks.text[i]);
  }
  set_color(cr, ink, 1);
  celi_cairo_text(cr, l->bar + BAR / 2, top - 7, 0.5, "V");
}

/// Draws the legend for the kinds of cells that the grid has.
static void draw_legend(cairo_t *cr, const CeliScene *scene, const Layout *l) {
  static const char *const words[] = {"", "goal", "pit", "out of reach", "wall"};
  const double size = 13, y = l->bar_top + l->bar_height + 17;
  double x = l->left;
  celi_cairo_font(cr, SMALL, false);
  if (scene->starts >= 1 && scene->starts <= 4) {
    rounded_path(cr, x + 1, y + 1, size - 2, 2.5);
    set_color(cr, start_ring, 1);
    cairo_set_line_width(cr, 1.6);
    cairo_stroke(cr);
    set_color(cr, ink, 1);
    celi_cairo_text(cr, x + size + 6, y + 10.5, 0, "start");
    x += size + 6 + celi_cairo_width(cr, "start") + 18;
  }
  for (int kind = CELI_CELL_GOAL; kind <= CELI_CELL_WALL; kind++) {
    if (scene->n[kind] == 0) continue;
    const CeliColor colors[] = {ink, goal, pit, far, wall};
    cairo_rectangle(cr, x, y, size, size);
    set_color(cr, colors[kind], 1);
    cairo_fill(cr);
    if (kind == CELI_CELL_FAR) hatch(cr, x, y, size);
    if (kind == CELI_CELL_GOAL) {
      star_path(cr, x + size / 2, y + size / 2, 0.42 * size);
      set_color(cr, star, 1);
      cairo_fill(cr);
    }
    if (kind == CELI_CELL_PIT) {
      cairo_arc(cr, x + size / 2, y + size / 2, 0.29 * size, 0, 2 * PI);
      set_color(cr, hole, 1);
      cairo_fill(cr);
    }
    set_color(cr, ink, 1);
    celi_cairo_text(cr, x + size + 6, y + 10.5, 0, words[kind]);
    x += size + 6 + celi_cairo_width(cr, words[kind]) + 18;
  }
}

static void draw_titles(cairo_t *cr, const CeliScene *scene, const Layout *l) {
  char text[CEL_PATH_MAX];
  const double room = l->page_width - 2 * MARGIN;
  celi_cairo_font(cr, TITLE, true);
  set_color(cr, ink, 1);
  celi_cairo_fit(cr, text, sizeof text, scene->title, room);
  celi_cairo_text(cr, MARGIN, MARGIN + 0.75 * TITLE, 0, text);
  if (!scene->subtitle) return;
  celi_cairo_font(cr, SMALL, false);
  set_color(cr, gray, 1);
  celi_cairo_fit(cr, text, sizeof text, scene->subtitle, room);
  celi_cairo_text(cr, MARGIN, MARGIN + 0.75 * TITLE + 18, 0, text);
}

void celi_scene_page(const CeliScene *scene, double *width, double *height) {
  const Layout l = lay_out(scene);
  *width = l.page_width;
  *height = l.page_height;
}

void celi_scene_draw(cairo_t *cr, const CeliScene *scene) {
  const CelMdpGrid *grid = scene->mdp->grid;
  const Layout l = lay_out(scene);
  draw_titles(cr, scene, &l);
  if (grid->rows * grid->columns > RECTANGLES_MAX)
    draw_image(cr, scene, &l);
  else
    draw_rectangles(cr, scene, &l);
  if (l.cell >= ONE_BY_ONE)
    draw_policy(cr, scene, &l);
  else if (scene->options->arrows)
    draw_field(cr, scene, &l);
  draw_marks(cr, scene, &l);
  if (scene->bare) return;
  draw_bar(cr, scene, &l);
  draw_legend(cr, scene, &l);
}

/// A scene and the size of its picture in pixels.
typedef struct Page {
  const CeliScene *scene;
  int width;
} Page;

static void draw(cairo_t *cr, const void *what) {
  const Page *page = what;
  const Layout l = lay_out(page->scene);
  cairo_set_source_rgb(cr, 1, 1, 1);
  cairo_paint(cr);
  cairo_scale(cr, page->width / l.page_width, page->width / l.page_width);
  celi_scene_draw(cr, page->scene);
}

CelStatus celi_scene_write(const CeliScene *scene, const char *path, bool svg) {
  int width, height;
  celi_scene_size(scene, svg, &width, &height);
  return celi_picture_write(path, svg, width, height, draw, &(Page){scene, width});
}

#else

void celi_scene_size(const CeliScene *scene, bool svg, int *width, int *height) {
  (void)scene, (void)svg;
  *width = *height = 0;
}

CelStatus celi_scene_write(const CeliScene *scene, const char *path, bool svg) {
  (void)scene, (void)svg;
  return cel_fail(
      CEL_E_UNSUPPORTED,
      "%s: this build cannot draw pictures; install cairo (Debian: libcairo2-dev) and rebuild",
      path);
}

#endif
