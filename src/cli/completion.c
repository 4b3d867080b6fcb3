#include "cli/completion.h"

#include "cli/commands.h"

#include <ctype.h>
#include <string.h>

/* What an option's value is, told by what help calls it. */
static bool is_path(const struct cli_option *option)
{
	return option->value && (strcmp(option->value, "DIR") == 0 || strcmp(option->value, "FILE") == 0 ||
	                         strcmp(option->value, "PATH") == 0);
}

/* The words an option can be given, as "a|b"; NULL: anything. */
static const char *choices(const struct cli_option *option)
{
	if (option->kind == CLI_CHOICE)
		return option->value;
	return option->value && strcmp(option->value, "LEVEL") == 0 ? "none|hardened" : NULL;
}

/* Those that a command can be given. */
static const char *arguments(const struct cli_command *command)
{
	return command->max == 1 && strchr(command->args, '|') ? command->args : NULL;
}

static bool takes_id(const struct cli_command *command)
{
	return strncmp(command->args, "ID", 2) == 0 && strcmp(command->name, "create") != 0 &&
	       strcmp(command->name, "run") != 0;
}

/* "a|b|c" with another separator. */
static void print_words(FILE *out, const char *words, char separator)
{
	for (; *words; words++)
		(void)fputc(*words == '|' ? separator : *words, out);
}

/* ---- bash ---- */

static void print_bash_flags(FILE *out, const struct cli_option *rows)
{
	for (; rows->name; rows++)
		(void)fprintf(out, " %s%s", rows->name[1] ? "--" : "-", rows->name);
}

static void print_bash_values(FILE *out, const struct cli_option *rows)
{
	for (; rows->name; rows++) {
		if (rows->kind == CLI_BOOL)
			continue;
		(void)fprintf(out, "\t\t--%s", rows->name);
		if (rows->letter)
			(void)fprintf(out, "|-%c", rows->letter);
		(void)fputc(')', out);
		if (choices(rows)) {
			(void)fputs(" COMPREPLY=($(compgen -W \"", out);
			print_words(out, choices(rows), ' ');
			(void)fputs("\" -- \"$cur\"));", out);
		}
		(void)fputs(" return ;;\n", out); /* or readline's own file names */
	}
}

static void print_bash_case(FILE *out, const char *name, const struct cli_option *options)
{
	(void)fprintf(out, "\t%s)\n\t\tcase $prev in\n", name);
	print_bash_values(out, options);
	(void)fputs("\t\tesac\n\t\twords=\"", out);
	print_bash_flags(out, options);
	(void)fputs("\" ;;\n", out);
}

void completion_bash(FILE *out)
{
	const struct cli_command *c;

	(void)fputs("# bash completion for donjon\n_donjon() {\n"
	            "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}"
	            " command= word words=\n\tCOMPREPLY=()\n"
	            /* bash makes three words of --log-format=json */
	            "\t[ \"$prev\" != = ] || prev=${COMP_WORDS[COMP_CWORD-2]}\n"
	            "\t[ \"$cur\" != = ] || cur=\n"
	            "\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n\t\tcase $word in\n\t\t",
	            out);
	for (c = cli_commands; c->name; c++)
		(void)fprintf(out, "%s%s", c == cli_commands ? "" : "|", c->name);
	(void)fputs(") command=$word; break ;;\n\t\tesac\n\tdone\n\tcase $command in\n", out);
	print_bash_case(out, "''", cli_global_options);
	for (c = cli_commands; c->name; c++)
		print_bash_case(out, c->name, c->options);
	(void)fputs("\tesac\n\tcase $command,$cur in\n\t,[!-]*|,)\n\t\twords=\"", out);
	for (c = cli_commands; c->name; c++)
		(void)fprintf(out, " %s", c->name);
	(void)fputs("\" ;;\n\t*,-*) ;;\n\t", out);
	for (c = cli_commands; c->name; c++)
		if (takes_id(c))
			(void)fprintf(out, "%s,*|", c->name);
	(void)fputs("'')\n\t\twords=$(donjon list --quiet 2>/dev/null) ;;\n",
	            out);
	for (c = cli_commands; c->name; c++) {
		if (!arguments(c))
			continue;
		(void)fprintf(out, "\t%s,*) words=\"", c->name);
		print_words(out, arguments(c), ' ');
		(void)fputs("\" ;;\n", out);
	}
	(void)fputs("\t*) words= ;;\n\tesac\n"
	            "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
	            "complete -o default -F _donjon donjon donjon-none\n",
	            out);
}

/* ---- zsh ---- */

/* What the quotes and brackets of a specification would swallow. */
static void print_zsh_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			(void)fputs("'\\'", out);
		else if (strchr("[]:", *text))
			(void)fputc('\\', out);
		(void)fputc(*text, out);
	}
}

static void print_zsh_option(FILE *out, const struct cli_option *option)
{
	const char *dashes = option->name[1] ? "--" : "-";

	(void)fprintf(out, " \\\n\t\t'%s%s%s%s[", option->kind == CLI_LIST ? "*" : "", dashes, option->name,
	              option->kind == CLI_BOOL ? "" : "=");
	print_zsh_text(out, option->help);
	(void)fputc(']', out);
	if (choices(option)) {
		(void)fputs(":value:(", out);
		print_words(out, choices(option), ' ');
		(void)fputc(')', out);
	} else if (option->kind != CLI_BOOL) {
		(void)fputs(is_path(option) ? ":path:_files" : ":value: ", out);
	}
	(void)fputc('\'', out);
}

static void print_zsh_options(FILE *out, const struct cli_option *rows)
{
	for (; rows->name; rows++)
		print_zsh_option(out, rows);
}

static void print_zsh_arguments(FILE *out, const struct cli_command *command)
{
	if (arguments(command)) {
		(void)fputs("'1:name:(", out);
		print_words(out, arguments(command), ' ');
		(void)fputs(")'", out);
	} else {
		(void)fputs(takes_id(command) ? "'1:id:($ids)' '*:argument: '" : "'*:argument:_files'", out);
	}
}

void completion_zsh(FILE *out)
{
	const struct cli_command *c;

	(void)fputs("#compdef donjon donjon-none\n_donjon() {\n\tlocal curcontext=$curcontext state line\n"
	            "\tlocal -a commands ids\n\tcommands=(",
	            out);
	for (c = cli_commands; c->name; c++) {
		(void)fprintf(out, "\n\t\t'%s:", c->name);
		print_zsh_text(out, c->summary);
		(void)fputc('\'', out);
	}
	(void)fputs("\n\t)\n\t_arguments -C", out);
	print_zsh_options(out, cli_global_options);
	(void)fputs(" \\\n\t\t'1: :->command' '*:: :->rest'\n"
	            "\tcase $state in\n\tcommand) _describe command commands; return ;;\n"
	            "\trest) ;;\n\t*) return ;;\n\tesac\n"
	            "\tids=(${(f)\"$(donjon list --quiet 2>/dev/null)\"})\n\tcase $line[1] in\n",
	            out);
	for (c = cli_commands; c->name; c++) {
		(void)fprintf(out, "\t%s) _arguments", c->name);
		print_zsh_options(out, c->options);
		(void)fputs(" \\\n\t\t", out);
		print_zsh_arguments(out, c);
		(void)fputs(" ;;\n", out);
	}
	(void)fputs("\tesac\n}\n_donjon \"$@\"\n", out);
}

/* ---- fish ---- */

static void print_fish_text(FILE *out, const char *text)
{
	(void)fputc('\'', out);
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			(void)fputc('\\', out);
		(void)fputc(*text, out);
	}
	(void)fputc('\'', out);
}

static void print_fish_options(FILE *out, const char *condition, const struct cli_option *rows)
{
	for (; rows->name; rows++) {
		(void)fprintf(out, "complete -c donjon -n '%s' -%c %s", condition, rows->name[1] ? 'l' : 's', rows->name);
		if (rows->letter && isalnum((unsigned char)rows->letter))
			(void)fprintf(out, " -s %c", rows->letter);
		if (choices(rows)) {
			(void)fputs(" -x -a '", out);
			print_words(out, choices(rows), ' ');
			(void)fputc('\'', out);
		} else if (rows->kind != CLI_BOOL) {
			(void)fputs(is_path(rows) ? " -r -F" : " -x", out);
		}
		(void)fputs(" -d ", out);
		print_fish_text(out, rows->help);
		(void)fputc('\n', out);
	}
}

void completion_fish(FILE *out)
{
	char condition[64];

	(void)fputs("# fish completion for donjon\n", out);
	print_fish_options(out, "__fish_use_subcommand", cli_global_options);
	for (const struct cli_command *c = cli_commands; c->name; c++) {
		(void)fprintf(out, "complete -c donjon -f -n __fish_use_subcommand -a %s -d ", c->name);
		print_fish_text(out, c->summary);
		(void)fputc('\n', out);
		(void)snprintf(condition, sizeof(condition), "__fish_seen_subcommand_from %s", c->name);
		print_fish_options(out, condition, c->options);
		if (takes_id(c))
			(void)fprintf(out, "complete -c donjon -f -n '%s' -a '(donjon list --quiet 2>/dev/null)'\n",
			              condition);
		if (!arguments(c))
			continue;
		(void)fprintf(out, "complete -c donjon -f -n '%s' -a '", condition);
		print_words(out, arguments(c), ' ');
		(void)fputs("'\n", out);
	}
	(void)fputs("complete -c donjon-none -w donjon\n", out);
}
