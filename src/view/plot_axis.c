/// Ticks of an axis: round numbers and their texts.
#include "base/base.h"
#include "view/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MINUS "\xe2\x88\x92" // U+2212, as wide as a plus

/// The smallest of 1, 2 or 5 times a power of ten that is at least `least`, up to rounding.
static double round_step(double least) {
  const double power = pow(10, floor(log10(least)));
  static const double steps[] = {1, 2, 5, 10};
  for (int i = 0; i < 3; i++)
    if (steps[i] * power >= least * (1 - 1e-9)) return steps[i] * power;
  return 10 * power;
}

/// The unit for numbers up to `largest`, and its suffix.
static double choose_unit(double largest, const char **suffix) {
  static const struct {
    double from, unit;
    const char *suffix;
  } units[] = {{1e12, 1e12, "T"}, {1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e4, 1e3, "k"}};
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
    if (largest >= units[i].from * (1 - 1e-9)) {
      *suffix = units[i].suffix;
      return units[i].unit;
    }
  *suffix = "";
  return 1;
}

/// Writes `value` with enough digits to distinguish steps of `step`. largest: determines the unit.
static void write_number(char text[24], double value, double step, double largest) {
  const char *suffix;
  const double unit = choose_unit(largest, &suffix);
  const double shown = fabs(value) / unit;
  const int decimals = (int)fmax(0, -floor(log10(step / unit) + 1e-9));
  const char *sign = value < 0 ? MINUS : "";
  if (value == 0) {
    snprintf(text, 24, "0");
  } else if (largest < 1e-3 || largest >= 1e16) {
    snprintf(text, 24, "%s%.3g", sign, fabs(value));
  } else {
    snprintf(text, 24, "%s%.*f%s", sign, decimals, shown, suffix);
  }
}

void celi_ticks_linear(CeliTicks *ticks, double low, double high, int most) {
  CEL_ASSERT(low < high && most >= 2 && most <= CELI_TICKS_MAX);
  double step = round_step((high - low) / most);
  const double slack = 1e-9 * (high - low);
  double first, last;
  do { // until there are at most `most`
    first = ceil((low - slack) / step);
    last = floor((high + slack) / step);
    if (last - first + 1 <= most) break;
    step = round_step(1.5 * step);
  } while (true);
  const double largest = fmax(fabs(first), fabs(last)) * step;
  ticks->n = 0;
  for (double i = first; i <= last && ticks->n < most; i++) {
    ticks->at[ticks->n] = i * step;
    write_number(ticks->text[ticks->n++], i * step, step, largest);
  }
}

/// Adds the numbers m * 10^k in [low, high] for n multipliers m. Returns their number, which may
/// exceed `most`; the numbers after the first `most` are not stored.
static int fill_decades(CeliTicks *ticks, double low, double high, int most, const int *multiplier,
                        int n, int every) {
  int count = 0;
  ticks->n = 0;
  for (int k = (int)floor(log10(low)); pow(10, k) <= high * (1 + 1e-9); k++) {
    if (k % every != 0) continue;
    for (int i = 0; i < n; i++) {
      const double at = multiplier[i] * pow(10, k);
      if (at < low * (1 - 1e-9) || at > high * (1 + 1e-9)) continue;
      if (++count > most) continue;
      ticks->at[ticks->n] = at;
      if (at >= 1e-3 && at < 1e16)
        write_number(ticks->text[ticks->n], at, fmin(at, pow(10, k)), at);
      else
        snprintf(ticks->text[ticks->n], sizeof ticks->text[0], "%de%s%d", multiplier[i],
                 k < 0 ? MINUS : "", k < 0 ? -k : k);
      ticks->n++;
    }
  }
  return count;
}

void celi_ticks_log(CeliTicks *ticks, double low, double high, int most) {
  static const int fine[] = {1, 2, 5};
  CEL_ASSERT(0 < low && low < high && most >= 2 && most <= CELI_TICKS_MAX);
  int count = fill_decades(ticks, low, high, most, fine, 3, 1);
  if (count > most)
    for (int every = 1; fill_decades(ticks, low, high, most, fine, 1, every) > most;) every++;
  else if (count < 2)
    celi_ticks_linear(ticks, low, high, most);
}
