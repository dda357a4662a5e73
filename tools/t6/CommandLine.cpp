//===- CommandLine.cpp - Arguments, environment, configuration ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The only file that knows CLI11, and the only one that is built with
// exceptions, because CLI11 reports errors by throwing CLI::ParseError. They
// are caught here, in parseCommandLine(), and go no further.
//
//===----------------------------------------------------------------------===//

#include "tools/t6/CommandLine.h"

#include "runtime/api/t6.h"
#include "tools/t6/Console.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

namespace t6::cli {
namespace {

using nlohmann::json;

/// Thrown for what is wrong beyond the arguments themselves.
CLI::ParseError usageError(const std::string &message) {
  return CLI::ParseError(message, kUsage);
}

/// One long flag, and where its value came from.
struct Setting {
  std::string name; ///< Without dashes.
  CLI::Option *option;
  const char *source = "default";
  bool required = false;

  std::string environmentName() const {
    std::string result = "T6_";
    for (char c : name)
      result += c == '-' ? '_' : static_cast<char>(std::toupper(c));
    return result;
  }
  std::string text() const {
    std::string value = option->count()
                            ? CLI::detail::join(option->results(), ",")
                            : option->get_default_str();
    bool isFlag = option->get_expected_max() == 0;
    return !value.empty() ? value : isFlag ? "false" : "(none)";
  }
};

class CommandOptions : public Options {
public:
  CommandOptions(CLI::App &app, Command &command)
      : app(*app.add_subcommand(command.name(), command.summary())),
        command(&command) {
    this->app.footer(command.remarks());
    command.declare(*this);
    track("config",
          this->app.add_option(
              "--config", configPath,
              "JSON file with values for flags, by their long names"));
    this->app.add_flag("--print-config", printConfig,
                       "Show every value and where it came from, and end");
  }

  void positional(const std::string &name, std::string &value,
                  const std::string &help) override {
    app.add_option(name, value, help)->required();
  }
  void add(const std::string &flags, std::string &value,
           const std::string &help) override {
    declareValue(flags, value, help);
  }
  void add(const std::string &flags, int64_t &value,
           const std::string &help) override {
    declareValue(flags, value, help);
  }
  void add(const std::string &flags, double &value,
           const std::string &help) override {
    declareValue(flags, value, help);
  }
  void add(const std::string &flags, std::optional<uint64_t> &value,
           const std::string &help) override {
    auto set = [&value](const uint64_t &number) { value = number; };
    track(flags, app.add_option_function<uint64_t>(flags, set, help));
  }
  void add(const std::string &flags, std::vector<std::string> &value,
           const std::string &help) override {
    // Without this the flag would swallow the positional arguments behind it.
    track(flags, app.add_option(flags, value, help)->allow_extra_args(false));
  }
  void add(const std::string &flags, std::vector<int64_t> &value,
           const std::string &help) override {
    track(flags, app.add_option(flags, value, help)
                     ->delimiter(',')
                     ->allow_extra_args(false)
                     ->default_str(joined(value)));
  }
  void flag(const std::string &flags, bool &value,
            const std::string &help) override {
    track(flags, app.add_flag(flags, value, help));
  }
  void require(const std::string &name) override {
    find(name)->required = true;
  }

  /// Fills in what the arguments left open.
  void resolve(const std::vector<std::unique_ptr<CommandOptions>> &all);
  void print() const;

  CLI::App &app;
  Command *command;
  bool printConfig = false;

private:
  static std::string joined(const std::vector<int64_t> &values) {
    std::string text;
    for (int64_t value : values)
      text += (text.empty() ? "" : ",") + std::to_string(value);
    return text;
  }
  template <typename T>
  void declareValue(const std::string &flags, T &value,
                    const std::string &help) {
    track(flags, app.add_option(flags, value, help)->capture_default_str());
  }
  void track(const std::string &flags, CLI::Option *option) {
    size_t dashes = flags.rfind("--");
    settings.push_back(
        {dashes == std::string::npos ? flags : flags.substr(dashes + 2),
         option});
  }
  Setting *find(const std::string &name) {
    for (Setting &setting : settings)
      if (setting.name == name)
        return &setting;
    return nullptr;
  }
  void apply(Setting &setting, const std::vector<std::string> &values,
             const char *source, const std::string &place);
  void applyEnvironment(Setting &setting);
  void applyConfig(const std::vector<std::unique_ptr<CommandOptions>> &all);
  void applyObject(const json &object, const std::string &place,
                   const std::vector<std::unique_ptr<CommandOptions>> &all);

  std::vector<Setting> settings;
  std::string configPath;
};

/// What an option makes of one value of the configuration file.
std::vector<std::string> textsOf(const json &value, const std::string &place) {
  std::vector<std::string> texts;
  const json list = value.is_array() ? value : json::array({value});
  for (const json &item : list) {
    if (item.is_structured() || item.is_null())
      throw usageError(place + " is not a string, a number, a truth value or a "
                               "list of these");
    texts.push_back(item.is_string() ? item.get<std::string>() : item.dump());
  }
  return texts;
}

void CommandOptions::apply(Setting &setting,
                           const std::vector<std::string> &values,
                           const char *source, const std::string &place) {
  for (const std::string &value : values)
    setting.option->add_result(value);
  try {
    setting.option->run_callback();
  } catch (const CLI::ParseError &error) {
    throw usageError(place + ": " + error.what());
  }
  setting.source = source;
}

void CommandOptions::applyEnvironment(Setting &setting) {
  std::string variable = setting.environmentName();
  const char *value = std::getenv(variable.c_str());
  if (value && *value)
    apply(setting, {value}, "environment",
          "the environment variable " + variable);
}

void CommandOptions::applyObject(
    const json &object, const std::string &place,
    const std::vector<std::unique_ptr<CommandOptions>> &all) {
  for (const auto &[key, value] : object.items()) {
    if (Setting *setting = find(key)) {
      std::string where = place + ": \"" + key + "\"";
      if (std::strcmp(setting->source, "default") == 0)
        apply(*setting, textsOf(value, where), "config", where);
      continue;
    }
    // One file may serve several subcommands.
    bool known = std::any_of(all.begin(), all.end(), [&k = key](auto &other) {
      return other->find(k) || k == other->command->name();
    });
    if (!known)
      throw usageError(place + ": no flag is called \"" + key + "\"");
  }
}

void CommandOptions::applyConfig(
    const std::vector<std::unique_ptr<CommandOptions>> &all) {
  if (configPath.empty())
    return;
  std::ifstream stream(configPath, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(stream), {});
  if (!stream)
    throw CLI::ParseError("cannot read the configuration " + configPath + ": " +
                              std::strerror(errno),
                          kRuntime);
  const json root = json::parse(text, nullptr, false);
  if (!root.is_object())
    throw usageError(configPath + ": is not a JSON object");
  // What is said of this subcommand alone wins over what is said of all.
  auto own = root.find(command->name());
  if (own != root.end()) {
    if (!own->is_object())
      throw usageError(configPath + ": \"" + command->name() +
                       "\" is not a JSON object");
    applyObject(*own, configPath + ": \"" + command->name() + "\"", all);
  }
  applyObject(root, configPath, all);
}

void CommandOptions::resolve(
    const std::vector<std::unique_ptr<CommandOptions>> &all) {
  for (Setting &setting : settings)
    if (setting.option->count())
      setting.source = "flag";
    else
      applyEnvironment(setting);
  applyConfig(all);
  for (const Setting &setting : settings)
    if (setting.required && !printConfig && !setting.option->count())
      throw usageError("--" + setting.name + " is required");
}

void CommandOptions::print() const {
  size_t width = 0;
  for (const Setting &setting : settings)
    width = std::max(width, setting.name.size());
  for (const Setting &setting : settings) {
    std::string line = setting.name;
    line.resize(width, ' ');
    writeOut(line + " = " + setting.text() + "  (" + setting.source + ")\n");
  }
}

std::string oneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && (text.back() == ' ' || text.back() == '.'))
    text.pop_back();
  return text;
}

} // namespace

/// The name of a subcommand that there is not, or null.
static const char *
unknownSubcommand(int argc, const char *const *argv,
                  const std::vector<std::unique_ptr<Command>> &commands) {
  if (argc < 2 || argv[1][0] == '-')
    return nullptr;
  bool known =
      std::any_of(commands.begin(), commands.end(), [&](auto &command) {
        return !std::strcmp(argv[1], command->name());
      });
  return known ? nullptr : argv[1];
}

Command *parseCommandLine(int argc, const char *const *argv,
                          const std::vector<std::unique_ptr<Command>> &commands,
                          int &exitCode) {
  CLI::App app("Runs compiled models (.t6x; tpa-opt makes them).", "t6");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("t6 ") + t6_version());
  app.footer("Exit codes: 0 fine, 1 runtime, 2 usage, 3 incompatible or "
             "damaged file, 4 numerics check failed, 130 interrupted.\n"
             "Every flag --some-flag can also be set by T6_SOME_FLAG or in "
             "the file of --config.");
  std::vector<std::unique_ptr<CommandOptions>> all;
  for (const std::unique_ptr<Command> &command : commands)
    all.push_back(std::make_unique<CommandOptions>(app, *command));
  std::string help = "t6 --help";
  try {
    if (const char *name = unknownSubcommand(argc, argv, commands))
      throw usageError(std::string("there is no subcommand '") + name + "'");
    app.parse(argc, argv);
    for (const std::unique_ptr<CommandOptions> &options : all)
      if (options->app.parsed()) {
        help = std::string("t6 ") + options->command->name() + " --help";
        options->resolve(all);
        if (!options->printConfig)
          return options->command;
        options->print();
      }
    exitCode = kFine;
  } catch (const CLI::CallForVersion &version) {
    writeOut(std::string(version.what()) + "\n");
    exitCode = kFine;
  } catch (const CLI::CallForHelp &) {
    writeOut(app.help());
    exitCode = kFine;
  } catch (const CLI::CallForAllHelp &) {
    writeOut(app.help("", CLI::AppFormatMode::All));
    exitCode = kFine;
  } catch (const CLI::ParseError &error) {
    for (const std::unique_ptr<CommandOptions> &options : all)
      if (options->app.parsed())
        help = std::string("t6 ") + options->command->name() + " --help";
    exitCode = error.get_exit_code() == kRuntime ? kRuntime : kUsage;
    printError(oneLine(error.what()) + ". HINT: " + help);
  }
  return nullptr;
}

} // namespace t6::cli
