package drill

import (
	"path"
	"strconv"
	"strings"
)

// command does what a command in back-ticks says, as far as it is a setting.
// Scripts use the shell's line breaks, ";", "&&", quotes, comments and
// redirections, and no more of it.
func (s *settings) command(text string) error {
	text = strings.ReplaceAll(text, "\\\n", " ")
	for _, words := range shellCommands(text) {
		if err := s.shell(words); err != nil {
			return err
		}
	}
	return nil
}

// shell runs one command.
func (s *settings) shell(words []string) error {
	name := path.Base(words[0])
	args := words[1:]
	switch {
	case strings.HasPrefix(name, "sysctl_restore_"), name == "true", name == ":", name == "rm", name == "sleep":
		return nil
	case name == "defaults.sh":
		return s.setDefaults(strings.Contains(words[0], "/common/"))
	case name == "sysctl", name == "set_sysctls.py":
		for _, a := range args {
			if strings.HasPrefix(a, "-") {
				continue
			}
			if err := s.setSysctl(a); err != nil {
				return err
			}
		}
		return nil
	case strings.HasPrefix(words[0], "grep ") && strings.Contains(words[0], "/proc/net/tcp"):
		return nil // a look at the kernel's tables, which the host under test is not in
	case name == "echo" && len(args) == 3 && args[1] == ">":
		return s.echo(args[0], args[2])
	case name == "dd":
		return s.dd(args)
	case name == "ip" && len(args) == 6 && strings.Join(args[:5], " ") == "link set dev tun0 mtu":
		return setInt(&s.mtu, args[5])
	case name == "ip" && strings.Contains(strings.Join(args, " "), "route change"):
		return s.routeChange(args)
	case name == "tc" && len(args) > 0 && args[0] == "qdisc" && args[len(args)-1] == "fq":
		s.socket.Pacing = true // the queueing discipline that paces
		return nil
	case name == "ip" && strings.HasPrefix(strings.Join(args, " "), "tcp_metrics flush"):
		s.forget = true
		return nil
	case name == "tc" && strings.HasPrefix(strings.Join(args, " "), "qdisc"):
		s.full = strings.HasSuffix(strings.Join(args, " "), "limit 0") // nothing leaves
		return nil
	case harmless(name, args):
		return nil
	}
	return &unsupported{"command " + strings.Join(words, " ")}
}

// routeChange takes what a route says of the path: the MTU, which is then the
// link's, and the initial window. A segment size that is announced must be that
// of the MTU.
func (s *settings) routeChange(args []string) error {
	announced := 0
	for i, a := range args {
		if i+1 == len(args) {
			break
		}
		value := args[i+1]
		var err error
		switch a {
		case "advmss":
			err = setInt(&announced, value)
		case "initcwnd":
			err = setInt(&s.engine.TCP.InitialWindow, value)
		case "mtu":
			if value == "lock" && i+2 < len(args) {
				value = args[i+2]
			}
			err = setInt(&s.mtu, value)
		}
		if err != nil {
			return &unsupported{"command ip " + strings.Join(args, " ")}
		}
	}
	if announced != 0 && announced != s.largestSegment() {
		return &unsupported{"a route with another segment size than that of its MTU"}
	}
	return nil
}

// harmless reports whether a command is about something that a run in virtual
// time does not have: offloads, counters.
func harmless(name string, args []string) bool {
	line := strings.Join(args, " ")
	switch name {
	case "ethtool":
		return strings.HasPrefix(line, "-K")
	case "nstat":
		return line == "" || line == "-n"
	}
	return false
}

// echo writes to one of the kernel's files: a sysctl, or a parameter of its
// CUBIC, which Trivet's has no use for.
func (s *settings) echo(text, file string) error {
	switch {
	case strings.HasPrefix(file, "/proc/sys/"):
		return s.setSysctl(file + "=" + text)
	case strings.HasPrefix(file, "/sys/module/tcp_cubic/parameters/"):
		return nil
	}
	return &unsupported{"command echo to " + file}
}

// dd makes a file of zeros.
func (s *settings) dd(args []string) error {
	size, file := map[string]int{"bs": 512, "count": 1}, ""
	for _, a := range args {
		key, value, _ := strings.Cut(a, "=")
		switch key {
		case "of":
			file = value
		case "bs", "count":
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 || n > 1<<20 {
				return &unsupported{"command dd " + a}
			}
			size[key] = n
		}
	}
	s.files[file] = size["bs"] * size["count"]
	return nil
}

// shellCommands splits text into commands, each a list of words. A pipe makes
// the whole one command whose first word is what was written, so that nobody
// takes it for something known.
func shellCommands(text string) [][]string {
	var list [][]string
	var words []string
	end := func() {
		if words = dropRedirections(words); len(words) > 0 {
			list = append(list, words)
		}
		words = nil
	}
	for text != "" {
		switch c := text[0]; {
		case c == '\n' || c == ';':
			end()
			text = text[1:]
		case strings.HasPrefix(text, "&&") || strings.HasPrefix(text, "||"):
			end()
			text = text[2:]
		case c == ' ' || c == '\t' || c == '\r':
			text = text[1:]
		case c == '#':
			text = text[lineLen(text):]
		case c == '|':
			line := text[:lineLen(text)]
			words = append([]string{strings.Join(words, " ") + " " + line}, words...)
			text = text[len(line):]
		default:
			word, n := shellWord(text)
			words = append(words, word)
			text = text[n:]
		}
	}
	end()
	return list
}

// shellWord reads one word and returns it without its quotes.
func shellWord(text string) (string, int) {
	var b strings.Builder
	var quote byte
	for i := range len(text) {
		switch c := text[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && strings.IndexByte(" \t\r\n;|", c) >= 0:
			return b.String(), i
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), len(text)
}

// dropRedirections leaves out "> file", "2>&1" and "&> file", but for echo,
// which does nothing else.
func dropRedirections(words []string) []string {
	if len(words) > 0 && words[0] == "echo" {
		return words
	}
	var out []string
	for i := 0; i < len(words); i++ {
		w := strings.TrimLeft(words[i], "12&")
		if !strings.HasPrefix(w, ">") {
			out = append(out, words[i])
			continue
		}
		if strings.TrimLeft(w, ">&12") == "" && !strings.Contains(w, ">&") {
			i++
		}
	}
	return out
}
