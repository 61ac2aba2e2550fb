/// Choosing the colors of an animation: median cut over all pictures.
///
/// Colors are counted in bins of 6 bits per channel. A bin's color is the mean of its pixels, so
/// that uniform areas keep their exact colors. The box of bins with the largest error is split
/// first, at the mean of the channel that varies most.
#include "view/render.h"

#include <stdlib.h>
#include <string.h>

enum { BINS = 1 << 18, UNKNOWN = 0xffff };

typedef struct Bin {
  double sum[3]; ///< sums of its pixels' channels
  double weight; ///< number of pixels
} Bin;

/// A box: a range of bins.
typedef struct Box {
  int begin, end;
  int channel; ///< channel that varies most
  double error, cut;
  uint32_t color;
} Box;

struct CeliPalette {
  Bin *bins;         ///< (BINS,)
  int *used;         ///< (n_used,) indices of bins with pixels, in the order of boxes
  uint16_t *nearest; ///< (BINS,) index of the nearest chosen color, or UNKNOWN
  int n_used, n;
  uint32_t colors[CELI_PALETTE_COLORS];
};

static int channel_of(uint32_t color, int channel) {
  return (int)(color >> (16 - 8 * channel) & 255);
}

static int bin_of(uint32_t color) {
  return channel_of(color, 0) >> 2 << 12 | channel_of(color, 1) >> 2 << 6 |
         channel_of(color, 2) >> 2;
}

CelStatus celi_palette_create(CeliPalette **out) {
  CeliPalette *palette;
  *out = NULL;
  CELI_TRY(celi_alloc(&palette, 1, sizeof *palette, "a palette"));
  *palette = (CeliPalette){0};
  CelStatus status = celi_alloc(&palette->bins, BINS, sizeof *palette->bins, "a palette");
  if (status == CEL_OK)
    status = celi_alloc(&palette->used, BINS, sizeof *palette->used, "a palette");
  if (status == CEL_OK)
    status = celi_alloc(&palette->nearest, BINS, sizeof *palette->nearest, "a palette");
  if (status != CEL_OK) {
    celi_palette_free(palette);
    return status;
  }
  memset(palette->bins, 0, BINS * sizeof *palette->bins);
  memset(palette->nearest, 0xff, BINS * sizeof *palette->nearest);
  *out = palette;
  return CEL_OK;
}

void celi_palette_free(CeliPalette *palette) {
  if (!palette) return;
  free(palette->bins);
  free(palette->used);
  free(palette->nearest);
  free(palette);
}

void celi_palette_see(CeliPalette *palette, const CeliPixels *pixels) {
  for (int row = 0; row < pixels->size; row++) {
    const uint32_t *line = pixels->data + row * pixels->stride;
    for (int i = 0, end; i < pixels->size; i = end) { // neighboring pixels often have equal colors
      for (end = i + 1; end < pixels->size && line[end] == line[i];) end++;
      Bin *bin = &palette->bins[bin_of(line[i])];
      if (bin->weight == 0) palette->used[palette->n_used++] = bin_of(line[i]);
      bin->weight += end - i;
      for (int k = 0; k < 3; k++) bin->sum[k] += (double)(end - i) * channel_of(line[i], k);
    }
  }
}

// ---- median cut

/// Sets the error, the mean color and the cut of a box.
static void measure(const CeliPalette *palette, Box *box) {
  double weight = 0, sum[3] = {0}, error[3] = {0};
  for (int i = box->begin; i < box->end; i++) {
    const Bin *bin = &palette->bins[palette->used[i]];
    weight += bin->weight;
    for (int k = 0; k < 3; k++) sum[k] += bin->sum[k];
  }
  for (int i = box->begin; i < box->end; i++) {
    const Bin *bin = &palette->bins[palette->used[i]];
    for (int k = 0; k < 3; k++) {
      const double off = bin->sum[k] / bin->weight - sum[k] / weight;
      error[k] += bin->weight * off * off;
    }
  }
  box->channel = 0;
  for (int k = 1; k < 3; k++)
    if (error[k] > error[box->channel]) box->channel = k;
  box->error = box->end - box->begin > 1 ? error[0] + error[1] + error[2] : 0;
  box->cut = sum[box->channel] / weight;
  box->color = 0;
  for (int k = 0; k < 3; k++) box->color |= (uint32_t)(sum[k] / weight + 0.5) << (16 - 8 * k);
}

/// Moves the bins above the cut to a new box.
static void split(CeliPalette *palette, Box *box, Box *above) {
  int middle = box->begin;
  for (int i = box->begin; i < box->end; i++) {
    const int index = palette->used[i];
    const Bin *bin = &palette->bins[index];
    if (bin->sum[box->channel] / bin->weight > box->cut) continue;
    palette->used[i] = palette->used[middle];
    palette->used[middle++] = index;
  }
  above->begin = middle;
  above->end = box->end;
  box->end = middle;
}

int celi_palette_choose(CeliPalette *palette, uint32_t colors[CELI_PALETTE_COLORS]) {
  Box boxes[CELI_PALETTE_COLORS];
  CEL_ASSERT(palette->n_used > 0);
  boxes[0] = (Box){.begin = 0, .end = palette->n_used};
  measure(palette, &boxes[0]);
  for (palette->n = 1; palette->n < CELI_PALETTE_COLORS; palette->n++) {
    int worst = 0;
    for (int i = 1; i < palette->n; i++)
      if (boxes[i].error > boxes[worst].error) worst = i;
    if (boxes[worst].error <= 0) break;
    Box *above = &boxes[palette->n];
    split(palette, &boxes[worst], above);
    // All colors are equal up to rounding, so there is nothing to split.
    if (above->begin == above->end || boxes[worst].begin == boxes[worst].end) {
      boxes[worst].end = above->end;
      boxes[worst].error = 0;
      palette->n--;
      continue;
    }
    measure(palette, &boxes[worst]);
    measure(palette, above);
  }
  for (int i = 0; i < palette->n; i++) colors[i] = palette->colors[i] = boxes[i].color;
  return palette->n;
}

uint8_t celi_palette_index(CeliPalette *palette, uint32_t color) {
  uint16_t *known = &palette->nearest[bin_of(color)];
  if (*known != UNKNOWN) return (uint8_t)*known;
  int best = 0, distance = 1 << 30;
  for (int i = 0; i < palette->n; i++) {
    int d = 0;
    for (int k = 0; k < 3; k++) {
      const int off = channel_of(color, k) - channel_of(palette->colors[i], k);
      d += off * off;
    }
    if (d < distance) {
      distance = d;
      best = i;
    }
  }
  *known = (uint16_t)best;
  return (uint8_t)best;
}
