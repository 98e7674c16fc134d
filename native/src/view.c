/* The settings of the view, checked, and its bands. */
#include "view.h"

#include "model.h"

double view_centre(const View *view, int band) {
  double width = (double)view->rate / view->n_fft;
  return ((view->edges[band] - 0.5) * width + (view->edges[band + 1] - 0.5) * width) / 2.0;
}

const float *view_window(const View *view, Arena *arena) {
  float *window = TAKE(arena, float, view->n_fft);
  for (int i = 0; window != NULL && i < view->n_fft; i++) window[i] = (float)(0.5 - 0.5 * ts_cos_turns((double)i / view->n_fft));
  return window;
}

/* A whole number of the view's settings; TS_DAMAGED where it is another or out of range. */
static Status read_whole(const Json *settings, const char *key, int low, int high, int otherwise, int *out) {
  const Json *value = json_entry(settings, key);
  int64_t found = otherwise;
  if (value != NULL && !json_whole(value, low, high, &found)) return TS_DAMAGED;
  *out = (int)found;
  return TS_OK;
}

Status view_open(View *out, const File *file, Arena *arena) {
  const Json *header = file_header(file), *settings = json_at(header, "settings.representation");
  const Json *normalisation = json_entry(settings, "normalisation"), *floor = json_entry(settings, "floor");
  View view = {0};
  if (!json_is(json_entry(settings, "name"), "bands"))
    return file_fault(file, TS_UNCOVERED, "the features of this instrument are not those of the view `bands`, which alone is played here");
  if (normalisation != NULL && !json_is(normalisation, "none"))
    return file_fault(file, TS_UNCOVERED, "the features of this instrument are normalised, which is not played here");
  Status status = read_whole(header, "sample_rate", 8000, 192000, 0, &view.rate);
  if (status == TS_OK) status = read_whole(header, "channels", 1, 2, 0, &view.channels);
  if (status == TS_OK) status = read_whole(settings, "n_fft", 64, 16384, 1024, &view.n_fft);
  if (status == TS_OK) status = read_whole(settings, "hop", 16, 8192, 256, &view.hop);
  if (status == TS_OK) status = read_whole(settings, "bands", 8, 2048, 161, &view.bands);
  view.floor = json_number(floor, 80.0);
  if (status != TS_OK || view.rate == 0 || view.channels == 0 || !(view.floor >= 20.0 && view.floor <= 120.0))
    return file_fault(file, TS_DAMAGED, "the settings of the view are out of range; the file is damaged");
  view.bins = view.n_fft / 2 + 1;
  if (view.n_fft % view.hop != 0 || view.hop * 2 > view.n_fft || view.bands > view.bins)
    return file_fault(file, TS_DAMAGED, "the settings of the view do not fit each other; the file is damaged");
  if ((view.n_fft & (view.n_fft - 1)) != 0) return file_fault(file, TS_UNCOVERED, "windows that are no power of two are not played here");
  int32_t *edges = TAKE(arena, int32_t, view.bands + 1);
  if (edges == NULL) return TS_MEMORY;
  view.edges = edges;
  view.bands = (int)band_edges(view.bins, view.bands, edges, (size_t)view.bands + 1) - 1;
  if (view.bands < 2) return file_fault(file, TS_UNCOVERED, "a view of fewer than two bands is not played here");
  *out = view;
  return TS_OK;
}
