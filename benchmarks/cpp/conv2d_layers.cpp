#include "conv2d_layers.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "ops/window.h"

namespace fastcnn {
namespace {

std::vector<std::int64_t> numbers(const std::string& text, std::size_t count) {
  std::vector<std::int64_t> values;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, 'x');) values.push_back(std::stoll(part));
  if (values.size() == 1 && count == 2) values.push_back(values[0]);
  if (values.size() != count)
    throw std::runtime_error("expected " + std::to_string(count) + " numbers: " + text);
  return values;
}

Layer parse(const std::string& network, const std::string& line, std::int64_t batch) {
  Layer layer;
  std::vector<std::int64_t> x, w;
  WindowSpec windows;
  const auto pair = [](const std::string& text) {
    const auto values = numbers(text, 2);
    return Pair{values[0], values[1]};
  };
  std::istringstream stream(line);
  stream >> layer.name;
  for (std::string word; stream >> word;) {
    const std::string key = word.substr(0, word.find('='));
    const std::string value = word.substr(std::min(word.size(), key.size() + 1));
    if (key == "x")
      x = numbers(value, 4);
    else if (key == "w")
      w = numbers(value, 4);
    else if (key == "stride")
      windows.stride = pair(value);
    else if (key == "pad")
      windows.pad = pair(value);
    else if (key == "dilation")
      windows.dilation = pair(value);
    else if (key == "groups")
      layer.problem.groups = numbers(value, 1)[0];
    else
      throw std::runtime_error("unknown word: " + word);
  }
  if (x.empty() || w.empty()) throw std::runtime_error("x= and w= are needed: " + line);
  if (w[1] * layer.problem.groups != x[1]) throw std::runtime_error("channels don't fit: " + line);
  windows.kernel = {w[2], w[3]};
  static_cast<Windows2d&>(layer.problem) = slide(windows, Shape(x));
  layer.problem.n = batch > 0 ? batch : x[0];
  layer.problem.c_in = x[1];
  layer.problem.c_out = w[0];
  layer.name = network + "/" + layer.name;
  return layer;
}

std::vector<Layer> read_file(const std::filesystem::path& file, std::int64_t batch) {
  std::ifstream stream(file);
  if (!stream) throw std::runtime_error("can't open " + file.string());
  std::vector<Layer> layers;
  for (std::string line; std::getline(stream, line);) {
    line.resize(std::min(line.size(), line.find('#')));
    if (line.find_first_not_of(" \t\r") != std::string::npos)
      layers.push_back(parse(file.stem().string(), line, batch));
  }
  return layers;
}

}  // namespace

std::vector<Layer> read_layers(const std::vector<std::string_view>& arguments) {
  std::vector<std::filesystem::path> files;
  std::int64_t batch = 0;
  for (const std::string_view argument : arguments) {
    if (argument.starts_with("--batch="))
      batch = std::stoll(std::string(argument.substr(8)));
    else
      files.emplace_back(argument);
  }
  if (files.empty()) {
    for (const auto& entry : std::filesystem::directory_iterator(FASTCNN_SHAPES)) {
      if (entry.path().extension() == ".txt") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
  }
  std::vector<Layer> layers;
  for (const auto& file : files) {
    for (Layer& layer : read_file(file, batch)) layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace fastcnn
