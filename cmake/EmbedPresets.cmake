# cmake -DOUT=presets.c -DFOLDER=presets -P EmbedPresets.cmake: turns FOLDER/<algo>/<name>.yaml into
# the function cel_preset_at, so that the library contains its presets.
file(GLOB files ${FOLDER}/*/*.yaml)
list(SORT files)
set(arrays "")
set(rows "")
set(i 0)
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME_WLE)
  get_filename_component(algo ${file} DIRECTORY)
  get_filename_component(algo ${algo} NAME)
  file(READ ${file} text)
  string(REGEX MATCH "^(# [^\n]*\n)+" doc "${text}") # the comment at the start of the file
  if(NOT doc)
    message(FATAL_ERROR "${file}: the first line must be a comment that describes the preset")
  endif()
  string(SUBSTRING "${doc}" 2 -1 doc)
  string(REPLACE "\n# " " " doc "${doc}")
  string(STRIP "${doc}" doc)
  string(REPLACE "\\" "\\\\" doc "${doc}")
  string(REPLACE "\"" "\\\"" doc "${doc}")
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "static const char text_${i}[] = {\n${bytes}0};\n")
  string(APPEND rows "  {\"${algo}\", \"${name}\", \"${doc}\", text_${i}},\n")
  math(EXPR i "${i} + 1")
endforeach()
file(WRITE ${OUT} "/// Made from the YAML files of src/algo/presets/ by cmake/EmbedPresets.cmake.
#include \"celsius/setup.h\"

${arrays}
static const CelPreset presets[] = {
${rows}  {0}};

const CelPreset *cel_preset_at(int i) {
  return i >= 0 && i < ${i} ? &presets[i] : NULL;
}
")
