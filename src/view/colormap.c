/// Colors of values: linear interpolation between a few colors in OKLab, where equal steps look
/// equal.
/// Source: Ottosson, "A perceptual color space for image processing", 2020 (the two matrices).
#include "view/grid.h"
#include <math.h>

static double to_linear(double c) {
  return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

static double from_linear(double c) {
  c = c < 0 ? 0 : c > 1 ? 1 : c;
  return c <= 0.0031308 ? 12.92 * c : 1.055 * pow(c, 1 / 2.4) - 0.055;
}

static void to_lab(const CeliColor *c, double lab[3]) {
  const double r = to_linear(c->r), g = to_linear(c->g), b = to_linear(c->b);
  const double l = cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const double m = cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const double s = cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  lab[0] = 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s;
  lab[1] = 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s;
  lab[2] = 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s;
}

static CeliColor from_lab(const double lab[3]) {
  const double l = pow(lab[0] + 0.3963377774 * lab[1] + 0.2158037573 * lab[2], 3);
  const double m = pow(lab[0] - 0.1055613458 * lab[1] - 0.0638541728 * lab[2], 3);
  const double s = pow(lab[0] - 0.0894841775 * lab[1] - 1.2914855480 * lab[2], 3);
  return (CeliColor){from_linear(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
                     from_linear(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
                     from_linear(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

CeliColor celi_colormap(double share) {
  static const CeliColor anchors[] = {{0.145, 0.145, 0.325},
                                      {0.150, 0.330, 0.545},
                                      {0.130, 0.545, 0.560},
                                      {0.440, 0.745, 0.470},
                                      {0.985, 0.915, 0.620}};
  enum { STEPS = sizeof anchors / sizeof anchors[0] - 1 };
  const double at = (share < 0 ? 0 : share > 1 ? 1 : share) * STEPS;
  const int i = at >= STEPS ? STEPS - 1 : (int)at;
  double a[3], b[3], mixed[3];
  to_lab(&anchors[i], a);
  to_lab(&anchors[i + 1], b);
  for (int k = 0; k < 3; k++) mixed[k] = a[k] + (at - i) * (b[k] - a[k]);
  return from_lab(mixed);
}

bool celi_color_light(CeliColor color) {
  double lab[3];
  to_lab(&color, lab);
  return lab[0] > 0.62;
}
