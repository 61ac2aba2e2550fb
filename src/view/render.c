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
// clang-format off
static const CelField fields[] = {
    {.name = "episodes", .type = CEL_FIELD_INT, .offset = F(episodes), .def = "1", .min = 1,
     .max = 1000, .unit = "episodes",
     .doc = "number of episodes, shown one after another"},
    {.name = "max_frames", .type = CEL_FIELD_INT, .offset = F(max_frames), .def = "600", .min = 2,
     .max = 100000, .unit = "pictures",
     .doc = "maximum number of pictures"},
    {.name = "size", .type = CEL_FIELD_INT, .offset = F(size), .def = "400", .min = 32, .max = 2000,
     .unit = "pixels",
     .doc = "width and height of the picture"},
    {.name = "fps", .type = CEL_FIELD_DOUBLE, .offset = F(fps), .def = "0", .min = 0, .max = 50,
     .unit = "1/s",
     .doc = "pictures per second; 0: the environment's speed, but at least 20 and at most 30"},
    {.name = "overlay", .type = CEL_FIELD_BOOL, .offset = F(overlay), .def = "true",
     .doc = "write step and return on the picture"},
    {.name = "camera", .type = CEL_FIELD_STRING, .offset = F(camera), .def = "", .unit = "NAME",
     .doc = "camera, of environments that have cameras; default: the environment's choice"},
    {0},
};
// clang-format on
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

/// Lets the environment draw a state. The canvas may have an image, which has the picture's size.
static CelStatus draw_state(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  cel_canvas_clear(canvas, 0, 0, 0, 0); // no view until render sets one
  spec->type->render(spec, state, canvas);
  celi_floats_keep();
  if (canvas->failed == CEL_OK) return CEL_OK;
  return cel_fail_in(celi_status_given(canvas->failed, "render"), "%s: ", spec->type->id);
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
  uint8_t *image;   ///< (size, size, 3) for environments with a renderer of their own
} Studio;

static CelStatus studio_open(Studio *studio) {
  const size_t size = (size_t)studio->options->size;
  CELI_TRY(celi_alloc(&studio->canvas, 1, sizeof *studio->canvas, "a canvas"));
  memset(studio->canvas, 0, sizeof *studio->canvas);
  CELI_TRY(celi_alloc(&studio->picture, size * size, 1, "a picture"));
  CELI_TRY(celi_alloc(&studio->image, size * size, 3, "a picture"));
  studio->canvas->image = studio->image;
  studio->canvas->image_size = (int)size;
  studio->canvas->camera = studio->options->camera;
  CELI_TRY(celi_pixels_create(&studio->pixels, studio->options->size));
  return celi_palette_create(&studio->palette);
}

static void studio_close(Studio *studio) {
  free(studio->canvas);
  free(studio->picture);
  free(studio->image);
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
  CELI_TRY(draw_state(spec, studio->film->states + i * spec->state_size, studio->canvas));
  return cel_fail_in(
      celi_pixels_draw(&studio->pixels, studio->canvas, studio->options->overlay ? text : NULL),
      "%s: ", spec->type->id);
}

/// Chooses one palette for all pictures. Draws them to count their colors; they are drawn again
/// when they are written. Of images, which take long to draw, it counts 32.
static CelStatus choose_palette(Studio *studio) {
  uint32_t colors[CELI_PALETTE_COLORS];
  const int64_t n = studio->film->n;
  int64_t stride = 1;
  for (int64_t i = 0; i < n; i += stride) {
    CELI_TRY(draw_shot(studio, i));
    celi_palette_see(studio->palette, &studio->pixels);
    if (studio->canvas->has_image) stride = (n + 31) / 32;
  }
  const int chosen = celi_palette_choose(studio->palette, colors);
  return celi_gif_open(&studio->gif, studio->pixels.size, colors, chosen);
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
  CELI_TRY(choose_palette(studio));
  for (int64_t i = 0; i < film->n; i++) {
    CELI_TRY(draw_shot(studio, i));
    index_pixels(studio);
    CELI_TRY(celi_gif_add(studio->gif, studio->picture, film->shot[i].last ? PAUSE : delay));
  }
  return celi_gif_write(studio->gif, path);
}

/// Writes a film. The last picture of an episode is repeated for the pause.
static CelStatus write_mp4(Studio *studio, const char *path) {
  const CeliFilm *film = studio->film;
  const int delay = celi_film_pacing(film->spec, studio->options->fps).delay;
  CeliMp4 mp4;
  CELI_TRY(celi_mp4_open(&mp4, studio->pixels.size, delay));
  CelStatus status = CEL_OK;
  for (int64_t i = 0; i < film->n && status == CEL_OK; i++) {
    status = draw_shot(studio, i);
    for (int shown = 0; status == CEL_OK && shown < (film->shot[i].last ? PAUSE : delay);
         shown += delay)
      status = celi_mp4_add(&mp4, &studio->pixels);
  }
  return celi_mp4_close(&mp4, status, path);
}

static CelStatus write_png(Studio *studio, const char *path) {
  CELI_TRY(draw_shot(studio, studio->film->n / 2));
  return celi_pixels_write_png(&studio->pixels, path);
}

static CelStatus render(const char *path, CelAgent *agent, const CelEnvSpec *spec, uint64_t seed,
                        const CelRenderOptions *options,
                        CelStatus (*write)(Studio *studio, const char *path)) {
  const CelRenderOptions defaults = cel_render_options_default();
  CeliFilm film;
  if (!options) options = &defaults;
  CELI_TRY(cel_fields_check(fields, options));
  CELI_TRY(check_spec(spec));
  CELI_TRY(celi_film_record(&film, agent, spec, seed, options));
  Studio studio = {.film = &film, .options = options};
  CelStatus status = studio_open(&studio);
  if (status == CEL_OK) status = write(&studio, path);
  studio_close(&studio);
  celi_film_free(&film);
  return status;
}

CelStatus cel_render_gif(const char *path, CelAgent *agent, const CelEnvSpec *spec, uint64_t seed,
                         const CelRenderOptions *options) {
  CELI_NEED(path);
  CELI_NEED(agent);
  CELI_NEED(spec);
  CELI_NEED(spec->type);
  CELI_FLOATS(CELI_IEEE);
  return render(path, agent, spec, seed, options, write_gif);
}

CelStatus cel_render(const char *path, CelAgent *agent, const CelEnvSpec *spec, uint64_t seed,
                     const CelRenderOptions *options) {
  CELI_NEED(path);
  CELI_NEED(agent);
  CELI_NEED(spec);
  CELI_NEED(spec->type);
  CELI_FLOATS(CELI_IEEE);
  static const struct {
    const char *ending;
    CelStatus (*write)(Studio *studio, const char *path);
  } kinds[] = {{".gif", write_gif}, {".mp4", write_mp4}, {".png", write_png}};
  const char *ending = strrchr(path, '.');
  for (size_t i = 0; ending && i < sizeof kinds / sizeof kinds[0]; i++)
    if (strcmp(ending, kinds[i].ending) == 0)
      return render(path, agent, spec, seed, options, kinds[i].write);
  return cel_fail(CEL_E_ARGUMENT, "%s: the name of a picture must end in .gif, .mp4 or .png", path);
}

// ---- single pictures

static CelStatus check_size(int64_t size) {
  if (size >= 32 && size <= 8000) return CEL_OK;
  return cel_fail(CEL_E_RANGE, "size is %lld; it must be 32 to 8000 pixels", (long long)size);
}

CelStatus cel_canvas_png(const char *path, const CelCanvas *canvas, int64_t size) {
  CELI_NEED(path);
  CELI_NEED(canvas);
  CELI_FLOATS(CELI_IEEE);
  CeliPixels pixels;
  CELI_TRY(check_size(size));
  if (canvas->has_image && (!canvas->image || canvas->image_size != size))
    return cel_fail(CEL_E_RANGE, "size is %lld, but the canvas has an image of %d pixels",
                    (long long)size, canvas->image_size);
  CELI_TRY(celi_pixels_create(&pixels, size));
  CelStatus status = celi_pixels_draw(&pixels, canvas, NULL);
  if (status == CEL_OK) status = celi_pixels_write_png(&pixels, path);
  celi_pixels_free(&pixels);
  return status;
}

/// Draws and writes one state. image: (size, size, 3).
static CelStatus write_state(const char *path, const CelEnvSpec *spec, const double *state,
                             int64_t size, CelCanvas *canvas, uint8_t *image) {
  memset(canvas, 0, sizeof *canvas);
  canvas->image = image;
  canvas->image_size = (int)size;
  CELI_TRY(draw_state(spec, state, canvas));
  return cel_canvas_png(path, canvas, size);
}

CelStatus cel_render_png(const char *path, const CelEnvSpec *spec, const double *state,
                         int64_t size) {
  CELI_NEED(path);
  CELI_NEED(spec);
  CELI_NEED(spec->type);
  CELI_NEED(state);
  CELI_FLOATS(CELI_IEEE);
  CelCanvas *canvas = NULL;
  uint8_t *image = NULL;
  CELI_TRY(check_spec(spec));
  CELI_TRY(check_size(size));
  CelStatus status = celi_alloc(&canvas, 1, sizeof *canvas, "a canvas");
  if (status == CEL_OK) status = celi_alloc(&image, (size_t)(size * size), 3, "a picture");
  if (status == CEL_OK) status = write_state(path, spec, state, size, canvas, image);
  free(canvas);
  free(image);
  return status;
}
