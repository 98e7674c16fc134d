/* Plays every file that is named, as a program that sanitizers watch: the core must refuse a damaged file or play finite sounds.
   Prints what became of each: the last step and its status. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timbrespace.h"

enum { ROOM = 96 << 20, SAMPLES = 4000 };

static int finite(const float *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!(x[i] >= -1e30f && x[i] <= 1e30f)) return 0;
  return 1;
}

/* The parts of a note in some of its frames, the first, the last, and one after the end of the note. */
static ts_status parts(const ts_instrument *instrument, const ts_info *info, const float *z, ts_memory *work) {
  const int32_t bins = ts_note_bins(instrument), count = info->frames < 5 ? info->frames : 5;
  ts_note_request request = {.category = info->categories - 1, .count = count};
  int32_t *frames = malloc((size_t)(count > 0 ? count : 1) * sizeof *frames);
  float *tones = malloc((size_t)(count > 0 ? count : 1) * TS_TONES * sizeof *tones), *noise = malloc((size_t)(count > 0 ? count : 1) * (size_t)(bins > 0 ? bins : 1) * sizeof *noise);
  if (!frames || !tones || !noise) abort();
  for (int32_t i = 0; i < count; i++) frames[i] = i * i * info->frames / 16;
  const ts_status status = ts_note_parts(instrument, z, &request, frames, tones, noise, work);
  if (!status && (!finite(tones, (size_t)count * TS_TONES) || !finite(noise, (size_t)count * (size_t)bins))) puts("parts that are not finite"), exit(3);
  free(frames), free(tones), free(noise);
  return status;
}

static int play(const ts_instrument *instrument, void *room, const char **step) {
  ts_info info;
  ts_memory work = {room, ROOM, 0, ""};
  ts_draw_request draw;
  ts_drawn drawn = {0, 0};
  ts_render_request render;
  int32_t samples = 0, frames = 0;
  ts_status status;
  ts_info_of(instrument, &info);
  float *z = calloc((size_t)info.dims * 2 + 1, sizeof *z), *audio = calloc((size_t)info.channels * (size_t)info.capacity + 1, sizeof *audio);
  float *db = calloc((size_t)info.parts * (size_t)info.frames * (size_t)info.bands + 1, sizeof *db), *amounts = calloc((size_t)info.controls + 1, sizeof *amounts);
  char name[64];
  if (!z || !audio || !db || !amounts) abort();
  for (int32_t i = -1; i <= info.categories && i < 100; i++) ts_category(instrument, i, name, sizeof name);
  *step = "draw", ts_draw_defaults(&draw), draw.seed = 1;
  status = ts_draw(instrument, &draw, NULL, 0, z, &drawn, &work);
  if (!status) *step = "around", status = ts_around(instrument, z, 1, 1, 0, z + info.dims, &work);
  if (!status) *step = "levels", status = ts_levels(instrument, z, &samples, db, &frames, &work);
  if (!status && !finite(db, (size_t)info.parts * (size_t)frames * (size_t)info.bands)) puts("levels that are not finite"), exit(3);
  ts_render_defaults(&render), render.category = drawn.category, render.samples = info.samples < SAMPLES ? info.samples : SAMPLES;
  for (int32_t level = 0; !status && level < 3; level++) {
    *step = "render", render.level = level, render.texture = level != 1;
    status = ts_render(instrument, z, &render, audio, info.capacity, &samples, &work);
    for (int32_t channel = 0; !status && channel < info.channels; channel++)
      if (!finite(audio + (size_t)channel * (size_t)info.capacity, (size_t)samples)) puts("samples that are not finite"), exit(3);
  }
  if (!status && ts_note_bins(instrument)) *step = "parts", status = parts(instrument, &info, z, &work);
  if (!status && info.controls) {
    *step = "steer", amounts[0] = 0.5f;
    status = ts_steer(instrument, z, amounts, z + info.dims, NULL, &work);
  }
  free(z), free(audio), free(db), free(amounts);
  return status;
}

int main(int count, char **names) {
  void *room = malloc(ROOM);
  for (int i = 1; i < count; i++) {
    const char *step = "open";
    FILE *file = fopen(names[i], "rb");
    long size = file && !fseek(file, 0, SEEK_END) ? ftell(file) : -1;
    unsigned char *bytes = malloc(size < 1 ? 1 : (size_t)size); /* of exactly this size, so that reading beyond it is found */
    if (size < 0 || !bytes || !room || fseek(file, 0, SEEK_SET) || fread(bytes, 1, (size_t)size, file) != (size_t)size) return 2;
    fclose(file);
    size_t needed = ts_open_size(bytes, (size_t)size);
    ts_memory memory = {malloc(2 * needed + (1 << 20)), 2 * needed + (1 << 20), 0, ""};
    ts_instrument *instrument = NULL;
    int status = memory.base ? ts_open(bytes, (size_t)size, &memory, &instrument) : 5;
    if (!status) status = play(instrument, room, &step);
    printf("%s %d\n", step, status), fflush(stdout);
    free(memory.base), free(bytes);
  }
  free(room);
  return 0;
}
