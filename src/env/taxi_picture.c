/// Picture of the taxi problem: four colored stands, walls, the taxi, the passenger as a disk, and
/// the destination as a framed stand.
#include "env/mdp_picture.h"
#include "mdp/generators/taxi.h"

#include <stdio.h>

static const CelColor stand_color[CELI_TAXI_STANDS] = {{0.86f, 0.33f, 0.31f, 1},
                                                       {0.36f, 0.66f, 0.40f, 1},
                                                       {0.93f, 0.78f, 0.30f, 1},
                                                       {0.31f, 0.50f, 0.80f, 1}};
static const char *const stand_name[CELI_TAXI_STANDS] = {"red", "green", "yellow", "blue"};

static void draw_box(CelCanvas *canvas, double x, double y, double half_width, double half_height,
                     CelColor color) {
  const double px[4] = {x - half_width, x + half_width, x + half_width, x - half_width};
  const double py[4] = {y - half_height, y - half_height, y + half_height, y + half_height};
  cel_canvas_polygon(canvas, 4, px, py, color);
}

/// Center of a cell. y points up, and rows are counted downward.
static double middle_x(int column) {
  return column + 0.5;
}
static double middle_y(int row) {
  return CELI_TAXI_SIDE - 0.5 - row;
}

static void draw_map(CelCanvas *canvas) {
  static const CelColor floor_color = {0.95f, 0.95f, 0.96f, 1}, line = {0.80f, 0.82f, 0.85f, 1};
  static const CelColor wall = {0.30f, 0.33f, 0.38f, 1};
  const double side = CELI_TAXI_SIDE;
  draw_box(canvas, side / 2, side / 2, side / 2, side / 2, floor_color);
  for (int i = 0; i < CELI_TAXI_STANDS; i++)
    draw_box(canvas, middle_x(celi_taxi_stand[i][1]), middle_y(celi_taxi_stand[i][0]), 0.5, 0.5,
             stand_color[i]);
  for (int i = 0; i <= CELI_TAXI_SIDE; i++) {
    cel_canvas_polyline(canvas, 2, (double[]){0, side}, (double[]){i, i}, 1, line);
    cel_canvas_polyline(canvas, 2, (double[]){i, i}, (double[]){0, side}, 1, line);
  }
  for (int r = 0; r < CELI_TAXI_SIDE; r++)
    for (int c = 0; c < CELI_TAXI_SIDE; c++)
      if (celi_taxi_wall_east[r] >> c & 1)
        cel_canvas_polyline(canvas, 2, (double[]){c + 1, c + 1},
                            (double[]){CELI_TAXI_SIDE - r - 1, CELI_TAXI_SIDE - r}, 7, wall);
}

static void draw_destination(CelCanvas *canvas, int stand) {
  static const CelColor frame = {0.13f, 0.14f, 0.16f, 1};
  const double x = middle_x(celi_taxi_stand[stand][1]), y = middle_y(celi_taxi_stand[stand][0]);
  const double px[5] = {x - 0.42, x + 0.42, x + 0.42, x - 0.42, x - 0.42};
  const double py[5] = {y - 0.42, y - 0.42, y + 0.42, y + 0.42, y - 0.42};
  cel_canvas_polyline(canvas, 5, px, py, 4, frame);
}

static void draw_taxi(CelCanvas *canvas, double x, double y) {
  static const CelColor body = {0.98f, 0.72f, 0.12f, 1}, dark = {0.20f, 0.22f, 0.27f, 1};
  cel_canvas_circle(canvas, x - 0.19, y - 0.19, 0.09, dark);
  cel_canvas_circle(canvas, x + 0.19, y - 0.19, 0.09, dark);
  draw_box(canvas, x, y - 0.06, 0.36, 0.14, dark);
  draw_box(canvas, x, y - 0.06, 0.34, 0.12, body);
  draw_box(canvas, x, y + 0.15, 0.22, 0.12, dark);
  draw_box(canvas, x, y + 0.14, 0.20, 0.11, body);
}

static void draw_passenger(CelCanvas *canvas, double x, double y, double radius) {
  static const CelColor edge = {1, 1, 1, 1}, self = {0.45f, 0.20f, 0.55f, 1};
  cel_canvas_circle(canvas, x, y, radius + 0.03, edge);
  cel_canvas_circle(canvas, x, y, radius, self);
}

void celi_taxi_picture(double s, CelCanvas *canvas) {
  static const CelColor ink = {0.25f, 0.27f, 0.31f, 1};
  const double side = 1.2 * CELI_TAXI_SIDE, middle = CELI_TAXI_SIDE / 2.0;
  const CeliTaxi taxi = celi_taxi_decode((int64_t)s);
  const bool riding = taxi.passenger == CELI_TAXI_RIDING;
  char text[64];
  cel_canvas_clear(canvas, middle - side / 2, middle + side / 2, middle - side / 2,
                   middle + side / 2);
  draw_map(canvas);
  draw_destination(canvas, taxi.destination);
  draw_taxi(canvas, middle_x(taxi.column), middle_y(taxi.row));
  if (riding)
    draw_passenger(canvas, middle_x(taxi.column), middle_y(taxi.row) + 0.15, 0.09);
  else
    draw_passenger(canvas, middle_x(celi_taxi_stand[taxi.passenger][1]),
                   middle_y(celi_taxi_stand[taxi.passenger][0]), 0.14);
  snprintf(text, sizeof text, "passenger %s %s, to %s", riding ? "in" : "at",
           riding ? "the taxi" : stand_name[taxi.passenger], stand_name[taxi.destination]);
  cel_canvas_text(canvas, middle, -0.26, text, ink);
}
