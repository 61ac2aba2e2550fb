/// Animations and pictures of environments.
#include "celsius/render.h"
#include "base/arguments.h"
#include "base/base.h"
#include "view/render.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAUSE = 90 }; // hundredths of a second for the last picture of an episode

// ---- options

#define F(field) offsetof(CelRenderOptions, field)
static const CelField fields[] = {
    {"episodes", CEL_FIELD_INT, F(episodes), "1", 1, 1000, "episodes", NULL, NULL,
     "number of episodes, shown one after another", ""},
    {"max_frames", CEL_FIELD_INT, F(max_frames), "600", 2, 100000, "pictures", NULL, NULL,
     "maximum number of pictures", ""},
    {"size", CEL_FIELD_INT, F(size), "400", 32, 2000, "pixels", NULL, NULL,
     "width and height of the picture", ""},
    {"fps", CEL_FIELD_DOUBLE, F(fps), "0", 0, 50, "1/s", NULL, NULL,
     "pictures per second; 0: the environment's speed, but at least 20 and at most 30", ""},
    {"overlay", CEL_FIELD_BOOL, F(overlay), "true", 0, 0, "", NULL, NULL,
     "write step and return on the picture", ""},
    {0}};
#undef F

const CelField *cel_render_fields(void) {
  return fields;
}

CelRenderOptions cel_render_options_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelRenderOptions options;
  memset(&options, 0, sizeof options);
  cel_fields_default(fields, &options);
  return options;
}

static CelStatus check_spec(const CelEnvSpec *spec) {
  if (spec->type->render) return CEL_OK;
  return cel_fail(CEL_E_UNSUPPORTED, "%s cannot be drawn, because its type has no render function",
                  spec->type->id);
}

// ---- animations

/// Everything for drawing an animation.
typedef struct Studio {
  const CeliFilm *film;
  const CelRenderOptions *options;
  CelCanvas *canvas;
  CeliPixels pixels;
  CeliPalette *palette;
  CeliGif *gif;
  uint8_t *picture; ///< (size, size) palette indices
} Studio;

static CelStatus studio_open(Studio *studio) {
  const size_t size = (size_t)studio->options->size;
  CELI_TRY(celi_alloc(&studio->canvas, 1, sizeof *studio->canvas, "a canvas"));
  CELI_TRY(celi_alloc(&studio->picture, size * size, 1, "a picture"));
  CELI_TRY(celi_pixels_create(&studio->pixels, studio->options->size));
  return celi_palette_create(&studio->palette);
}

static void studio_close(Studio *studio) {
  free(studio->canvas);
  free(studio->picture);
  celi_pixels_free(&studio->pixels);
  celi_palette_free(studio->palette);
  celi_gif_free(studio->gif);
}

static CelStatus draw_shot(Studio *studio, int64_t i) {
  const CelEnvSpec *spec = studio->film->spec;
  const CeliShot *shot = &studio->film->shot[i];
  char text[96];
  snprintf(text, sizeof text, "step %lld   return %s%.1f", (long long)shot->step,
           shot->gained < 0 ? "\xe2\x88\x92" : "", fabs(shot->gained));
  cel_canvas_clear(studio->canvas, 0, 0, 0, 0); // no view until render sets one
  spec->type->render(spec, studio->film->states + i * spec->state_size, studio->canvas);
  celi_floats_keep();
  return cel_fail_in(
      celi_pixels_draw(&studio->pixels, studio->canvas, studio->options->overlay ? text : NULL),
      "%s: ", spec->type->id);
}

/// Chooses one palette for all pictures. Draws every picture to count its colors; the pictures are
/// drawn again when they are written.
static CelStatus choose_palette(Studio *studio) {
  uint32_t colors[CELI_PALETTE_COLORS];
  for (int64_t i = 0; i < studio->film->n; i++) {
    CELI_TRY(draw_shot(studio, i));
    celi_palette_see(studio->palette, &studio->pixels);
  }
  const int n = celi_palette_choose(studio->palette, colors);
  return celi_gif_open(&studio->gif, studio->pixels.size, colors, n);
}

static void index_pixels(Studio *studio) {
  const CeliPixels *pixels = &studio->pixels;
  uint8_t *out = studio->picture;
  for (int y = 0; y < pixels->size; y++)
    for (int x = 0; x < pixels->size; x++)
      *out++ = celi_palette_index(studio->palette, pixels->data[y * pixels->stride + x]);
}

static CelStatus write_gif(Studio *studio, const char *path) {
  const CeliFilm *film = studio->film;
  const int delay = celi_film_pacing(film->spec, studio->options->fps).delay;
  CELI_TRY(studio_open(studio));
  CELI_TRY(choose_palette(studio));
  for (int64_t i = 0; i < film->n; i++) {
    CELI_TRY(draw_shot(studio, i));
    index_pixels(studio);
    CELI_TRY(celi_gif_add(studio->gif, studio->picture, film->shot[i].last ? PAUSE : delay));
  }
  return celi_gif_write(studio->gif, path);
}

CelStatus cel_render_gif(const char *path, CelAgent *agent, const CelEnvSpec *spec, uint64_t seed,
                         const CelRenderOptions *options) {
  CELI_NEED(path);
  CELI_NEED(agent);
  CELI_NEED(spec);
  CELI_NEED(spec->type);
  CELI_FLOATS(CELI_IEEE);
  const CelRenderOptions defaults = cel_render_options_default();
  CeliFilm film;
  if (!options) options = &defaults;
  CELI_TRY(cel_fields_check(fields, options));
  CELI_TRY(check_spec(spec));
  CELI_TRY(celi_film_record(&film, agent, spec, seed, options));
  Studio studio = {.film = &film, .options = options};
  const CelStatus status = write_gif(&studio, path);
  studio_close(&studio);
  celi_film_free(&film);
  return status;
}

// ---- single pictures

CelStatus cel_canvas_png(const char *path, const CelCanvas *canvas, int64_t size) {
  CELI_NEED(path);
  CELI_NEED(canvas);
  CELI_FLOATS(CELI_IEEE);
  CeliPixels pixels;
  if (size < 32 || size > 8000)
    return cel_fail(CEL_E_RANGE, "size is %lld; it must be 32 to 8000 pixels", (long long)size);
  CELI_TRY(celi_pixels_create(&pixels, size));
  CelStatus status = celi_pixels_draw(&pixels, canvas, NULL);
  if (status == CEL_OK) status = celi_pixels_write_png(&pixels, path);
  celi_pixels_free(&pixels);
  return status;
}

CelStatus cel_render_png(const char *path, const CelEnvSpec *spec, const double *state,
                         int64_t size) {
  CELI_NEED(path);
  CELI_NEED(spec);
  CELI_NEED(spec->type);
  CELI_NEED(state);
  CELI_FLOATS(CELI_IEEE);
  CelCanvas *canvas;
  CELI_TRY(check_spec(spec));
  CELI_TRY(celi_alloc(&canvas, 1, sizeof *canvas, "a canvas"));
  cel_canvas_clear(canvas, 0, 0, 0, 0);
  spec->type->render(spec, state, canvas);
  celi_floats_keep();
  const CelStatus status = cel_canvas_png(path, canvas, size);
  free(canvas);
  return status;
}
