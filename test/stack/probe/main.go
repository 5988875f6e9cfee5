// The only file of a test image that has no shell, no libc and no /etc/passwd: it shows that a sandbox needs none of them.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const usage = "usage: probe echo WORDS… | lines COUNT INTERVAL_MS | exit CODE | id | env NAME | sleep SECONDS"

func main() {
	if len(os.Args) < 2 {
		fail()
	}
	arguments := os.Args[2:]
	switch os.Args[1] {
	case "echo":
		fmt.Println(strings.Join(arguments, " "))
	case "lines":
		printLines(number(arguments, 0), time.Duration(number(arguments, 1))*time.Millisecond)
	case "exit":
		os.Exit(number(arguments, 0))
	case "id":
		fmt.Printf("%d:%d\n", os.Getuid(), os.Getgid())
	case "env":
		fmt.Println(os.Getenv(arguments[0]))
	case "sleep":
		time.Sleep(time.Duration(number(arguments, 0)) * time.Second)
	default:
		fail()
	}
}

// printLines numbers its lines, the even ones on stdout and the odd ones on stderr.
func printLines(count int, interval time.Duration) {
	for line := range count {
		out := os.Stdout
		if line%2 == 1 {
			out = os.Stderr
		}
		fmt.Fprintf(out, "line %d\n", line)
		time.Sleep(interval)
	}
}

func number(arguments []string, index int) int {
	if index >= len(arguments) {
		fail()
	}
	value, err := strconv.Atoi(arguments[index])
	if err != nil {
		fail()
	}
	return value
}

func fail() {
	fmt.Fprintln(os.Stderr, usage)
	os.Exit(2)
}
