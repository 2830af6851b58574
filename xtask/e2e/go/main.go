// Command logcheck checks the transparency log of a registry with what golang.org/x/mod has for the checksum database of
// Go: package note for signatures, package tlog for the tree.
//
// It shares nothing with the program that it checks, neither code nor language, so that a mistake would have to be made
// twice to go unnoticed. The key is read from a file that came another way, never from the log.
//
// It exits with 0 when everything holds, with 1 when something is refused, and with 3 when it cannot tell, because a
// request or a file failed. (2 is what a Go program that panics exits with.)
package main

import (
	"errors"
	"fmt"
	"os"
)

const usage = `usage:
  logcheck tree URL KEYFILE               the newest checkpoint, and every entry under it
  logcheck consistency URL KEYFILE NOTE…  each checkpoint continues the one before, and the newest all of them
  logcheck receipts KEYFILE RECEIPT…      proofs that are complete in themselves
  logcheck fork KEYFILE EVIDENCE          two signed checkpoints that cannot be of one log
`

// errRefused marks what a log must not look like; any other error says that nothing could be found out.
var errRefused = errors.New("refused")

// refuse makes an error that says what is wrong with the log.
func refuse(format string, arguments ...any) error {
	return fmt.Errorf("%w: %s", errRefused, fmt.Sprintf(format, arguments...))
}

func main() {
	found, err := run(os.Args[1:])
	switch {
	case err == nil:
		fmt.Println(found)
	case errors.Is(err, errRefused):
		fmt.Println(err)
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

// run does what the arguments ask for and says what was found to hold.
func run(arguments []string) (string, error) {
	if len(arguments) >= 3 {
		command, rest := arguments[0], arguments[1:]
		switch {
		case command == "tree" && len(rest) == 2:
			return checkTree(rest[0], rest[1])
		case command == "consistency" && len(rest) >= 3:
			return checkConsistency(rest[0], rest[1], rest[2:])
		case command == "receipts":
			return checkReceipts(rest[0], rest[1:])
		case command == "fork" && len(rest) == 2:
			return checkFork(rest[0], rest[1])
		}
	}
	return "", errors.New(usage)
}
