package check

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	statusLineBytesMax = 256
	statusOKMin        = 200
	statusOKMax        = 399
)

// askHTTP is an HTTP client as small as the question: it reads the status line and nothing else, so it follows no
// redirect and no answer is too long. Only the sandbox's own loopback is asked.
func askHTTP(request Request, deadline time.Time) Outcome {
	conn, err := dial(request.Port, deadline)
	if err != nil {
		return failed("nothing listens on port %d: %v", request.Port, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(deadline); err != nil {
		return failed("%v", err)
	}
	text := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: localhost:%d\r\nUser-Agent: berth\r\nAccept: */*\r\nConnection: close\r\n\r\n",
		request.Path, request.Port)
	if _, err := io.WriteString(conn, text); err != nil {
		return failed("port %d does not take the request: %v", request.Port, err)
	}
	line := make([]byte, 0, statusLineBytesMax)
	for len(line) < statusLineBytesMax && !strings.Contains(string(line), "\n") {
		buffer := make([]byte, statusLineBytesMax-len(line))
		count, err := conn.Read(buffer)
		line = append(line, buffer[:count]...)
		if err != nil {
			break
		}
	}
	return judge(string(line), request)
}

func judge(line string, request Request) Outcome {
	words := strings.Fields(line)
	if len(words) < 2 || !strings.HasPrefix(words[0], "HTTP/") {
		return failed("port %d gives no HTTP answer in time", request.Port)
	}
	status, err := strconv.Atoi(words[1])
	if err != nil || status < statusOKMin || status > statusOKMax {
		return failed("GET %s answers %.20q", request.Path, words[1])
	}
	return Outcome{OK: true}
}

// dial tries both loopback addresses, as servers listen on one of them or on both.
func dial(port uint16, deadline time.Time) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp4", fmt.Sprintf("127.0.0.1:%d", port), time.Until(deadline))
	if err == nil {
		return conn, nil
	}
	if other, otherErr := net.DialTimeout("tcp6", fmt.Sprintf("[::1]:%d", port), time.Until(deadline)); otherErr == nil {
		return other, nil
	}
	return nil, err
}
